"""cryoSPARC's datasets: fields and types as its own, values by its conventions, uids of what it has imported."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from warpcore.services.formats.cryosparc import (
    Exposure,
    ExposureCtf,
    exposures_dataset,
    imported_name,
    joined,
    picks_dataset,
    read_exposure_uids,
    write_dataset,
)
from warpcore.services.session.errors import InputError

CTF = ExposureCtf(21000.0, 20000.0, -46.0, 90.0, 3.2)
CTF_FIELDS = {
    "type": "S", "exp_group_id": "<u4", "accel_kv": "<f4", "cs_mm": "<f4", "amp_contrast": "<f4", "df1_A": "<f4",
    "df2_A": "<f4", "df_angle_rad": "<f4", "phase_shift_rad": "<f4",
}  # fmt: skip
LOCATION_FIELDS = {
    "micrograph_uid": "<u8", "exp_group_id": "<u4", "micrograph_path": "S", "micrograph_shape": "<u4",
    "center_x_frac": "<f4", "center_y_frac": "<f4",
}  # fmt: skip
"""What cryoSPARC needs of these slots (`min_fields` in the tests of cryosparc-tools)."""


def exposure(name: str = "a", ctf: ExposureCtf | None = CTF) -> Exposure:
    return Exposure(f"warpcore/average/{name}.mrc", (300, 400), 0.8, 300, 2.7, 0.1, 40.0, 3, 2, ctf)


def check_fields(dataset: np.ndarray, slot: str, fields: dict[str, str]) -> None:
    for name, kind in fields.items():
        found = dataset.dtype.fields[f"{slot}/{name}"][0]
        assert found.base.kind == "S" if kind == "S" else found.base == np.dtype(kind), name


def test_exposures_have_relions_defocus_and_angle_in_radians_and_their_group() -> None:
    data = exposures_dataset([exposure()])
    check_fields(data, "ctf", CTF_FIELDS)
    row = data[0]
    assert (row["ctf/df1_A"], row["ctf/df2_A"]) == (21000, 20000)
    assert row["ctf/df_angle_rad"] == pytest.approx(math.radians(-46))
    assert row["ctf/phase_shift_rad"] == pytest.approx(math.pi / 2)
    assert row["micrograph_blob/path"] == b"warpcore/average/a.mrc"
    assert row["micrograph_blob/format"] == b"MRC/2"
    assert tuple(row["micrograph_blob/shape"]) == (300, 400)  # [NY, NX]
    assert row["mscope_params/exp_group_id"] == row["ctf/exp_group_id"] == 3
    assert row["mscope_params/phase_plate"] == 1


def test_an_exposure_without_a_ctf_is_none() -> None:
    assert len(exposures_dataset([exposure(ctf=None)])) == 0


def test_picks_are_fractions_of_the_image_with_rows_counted_from_the_first() -> None:
    data = picks_dataset(exposure(), [100.0], [75.0])
    check_fields(data, "location", LOCATION_FIELDS)
    (row,) = data
    # cryosparc-tools' example of picking with crYOLO: rlnCoordinateX / width, rlnCoordinateY / height.
    assert row["location/center_x_frac"] * row["location/micrograph_shape"][1] == 100
    assert row["location/center_y_frac"] * row["location/micrograph_shape"][0] == 75


def test_picks_name_their_exposure_and_no_two_have_one_uid() -> None:
    exposures = [exposure("a"), exposure("a longer name")]
    known = exposures_dataset(exposures)
    picks = joined([picks_dataset(one, [1.0, 2.0], [1.0, 2.0]) for one in exposures])
    assert set(picks["location/micrograph_uid"]) == set(known["uid"])
    assert len(set(picks["uid"])) == len(picks) == 4
    assert picks["location/micrograph_path"][3] == b"warpcore/average/a longer name.mrc"


def test_equal_datasets_are_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_dataset(tmp_path / name, exposures_dataset([exposure()]))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_cryosparc_has_imported_keeps_its_uids_by_name(tmp_path: Path) -> None:
    imported = np.zeros(2, [("uid", "<u8"), ("micrograph_blob/path", "S80")])
    imported["uid"] = 12951868257382468663, 7
    imported["micrograph_blob/path"] = (
        b"J1/imported/012951868257382468663_a.mrc",
        b"J1/imported/000000000000000000007_b.mrc",
    )
    write_dataset(tmp_path / "J1.cs", imported)
    uids = read_exposure_uids(tmp_path / "J1.cs")
    assert uids == {"a.mrc": 12951868257382468663, "b.mrc": 7}
    assert exposures_dataset([exposure()], uids)["uid"][0] == 12951868257382468663
    assert picks_dataset(exposure("b"), [1.0], [1.0], uids)["location/micrograph_uid"][0] == 7
    imported["micrograph_blob/path"] = b"J1/a.mrc", b"J2/a.mrc"
    write_dataset(tmp_path / "twice.cs", imported)
    with pytest.raises(InputError, match="one file name"):
        read_exposure_uids(tmp_path / "twice.cs")


@pytest.mark.parametrize("content", [b"", b"no dataset", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_dataset_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.cs").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.cs"):
        read_exposure_uids(tmp_path / "a.cs")


def test_a_name_of_digits_is_no_prefix() -> None:
    assert imported_name("Movies/20170629_00021_frameImage.mrc") == "20170629_00021_frameImage.mrc"


def test_cryosparcs_own_library_reads_and_joins_them(tmp_path: Path) -> None:
    dataset = pytest.importorskip("cryosparc.dataset", reason="needs cryosparc-tools")
    exposures = exposures_dataset([exposure()])
    write_dataset(tmp_path / "exposures.cs", exposures)
    write_dataset(tmp_path / "picks.cs", picks_dataset(exposure(), [1.0, 2.0], [3.0, 4.0]))
    read = dataset.Dataset.load(tmp_path / "exposures.cs")
    picks = dataset.Dataset.load(tmp_path / "picks.cs")
    assert read["micrograph_blob/path"][0] == "warpcore/average/a.mrc"
    assert len(picks.query({"location/micrograph_uid": read["uid"][0]})) == 2
