"""`warpcore import-star`: RELION's averages are processed as they are, and named to RELION by its own names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile

from tests.running_commands import Done
from warpcore.services.formats.star_micrographs import read_star_exposure, read_star_micrographs
from warpcore.services.formats.warp_xml_reading import read_movie_xml
from warpcore.services.session.errors import InputError

RELION = Path(__file__).parents[3] / "shared" / "data" / "relion"
JOB = "MotionCorr/job002"
LABELS = ["rlnMicrographName", "rlnMicrographMetadata", "rlnMicrographNameNoDW", "rlnOpticsGroup"]
LABELS += ["rlnAccumMotionTotal", "rlnAccumMotionEarly", "rlnAccumMotionLate"]
OPTICS = ["rlnOpticsGroupName", "rlnOpticsGroup", "rlnMicrographOriginalPixelSize", "rlnVoltage"]
OPTICS += ["rlnSphericalAberration", "rlnAmplitudeContrast", "rlnMicrographPixelSize"]
LIMITS = ("defocus_min", "defocus_max", "astigmatism_max", "resolution_max", "particles_min", "junk_max")
MOTION = """
data_general

_rlnImageSizeX   320
_rlnImageSizeY   256
_rlnImageSizeZ    24
_rlnMicrographDoseRate  1.500000
_rlnMicrographPreExposure 2.000000
"""


def loop(name: str, labels: list[str], rows: list[str]) -> str:
    """A table as RELION writes it, numbers in wide columns and a blank at the end of each line."""
    header = [f"_{label} #{number} " for number, label in enumerate(labels, 1)]
    return "\n".join(["# version 30001", "", f"data_{name}", "", "loop_ ", *header, *(f"{row} " for row in rows), " "])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two averages in two optics groups, binned twice, one with a sum that is not dose-weighted."""
    movies, draw = tmp_path / "relion" / JOB / "Movies", np.random.default_rng(5)
    movies.mkdir(parents=True)
    rows = []
    for name, group, motion in (("a", 1, "16.420495 2.506308 13.914187"), ("b", 7, "19.5 2.5 17.0")):
        for suffix in ("", "_noDW"):
            with mrcfile.new(movies / f"{name}{suffix}.mrc") as file:
                file.set_data(draw.normal(30, 5, (128, 160)).astype(np.float32))
                file.voxel_size = 1.77
        (movies / f"{name}.star").write_text(MOTION)
        files = " ".join(f"{JOB}/Movies/{name}{ending}" for ending in (".mrc", ".star", "_noDW.mrc"))
        rows.append(f"{files}            {group}    {motion}")
    optics = [
        "opticsGroup1            1     0.885000   200.000000     1.400000     0.100000     1.770000",
        "krios-2_b               7     0.885000   120.000000     2.700000     0.100000     1.770000",
    ]
    text = f"\n{loop('optics', OPTICS, optics)}\n\n{loop('micrographs', LABELS, rows)}\n"
    (tmp_path / "relion" / JOB / "corrected_micrographs.star").write_text(text)
    return tmp_path / "relion"


def test_averages_are_processed_in_place_and_keep_optics_motion_and_names(
    project: Path, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    processing = project / "warpcore"
    words = ["import-star", str(project / JOB / "corrected_micrographs.star"), "--processing", str(processing)]
    words += ["--device", "cpu", "--set", "picking.diameter=120", "--set", "export.particles=true"]
    words += [word for name in LIMITS for word in ("--set", f"filter.{name}=null")]
    before = {path: path.read_bytes() for path in (project / JOB).rglob("*.mrc")}
    done = command(*words, "--json")
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert [one["name"] for one in outcomes] == ["a", "b"]
    told = outcomes[0]["results"]["input"]
    assert (told["voltage_kv"], told["cs_mm"], told["pixel_size_angstrom"]) == (200, 1.4, 1.77)
    assert told["dose_per_frame"] == 38  # 2 + 24 x 1.5: the whole exposure in the one frame
    assert outcomes[0]["results"]["motion"]["accumulated_total_angstrom"] == 16.420495
    assert before == {path: path.read_bytes() for path in (project / JOB).rglob("*.mrc")}
    assert not (processing / "average").exists()
    assert not (processing / "motion" / "a.star").exists()

    corrected = starfile.read(processing / "corrected_micrographs.star")
    assert list(corrected["micrographs"]["rlnMicrographName"]) == [f"{JOB}/Movies/{name}.mrc" for name in "ab"]
    assert list(corrected["micrographs"]["rlnMicrographMetadata"]) == [f"{JOB}/Movies/{name}.star" for name in "ab"]
    assert list(corrected["micrographs"]["rlnAccumMotionTotal"]) == [16.420495, 19.5]
    assert list(corrected["optics"]["rlnOpticsGroup"]) == [1, 7]
    assert list(corrected["optics"]["rlnOpticsGroupName"]) == ["opticsGroup1", "krios-2_b"]
    assert list(corrected["micrographs"]["rlnOpticsGroup"]) == [1, 7]
    assert list(corrected["optics"]["rlnVoltage"]) == [200, 120]
    assert list(corrected["optics"]["rlnMicrographOriginalPixelSize"]) == [0.885, 0.885]
    assert list(corrected["optics"]["rlnMicrographPixelSize"]) == [1.77, 1.77]
    assert list(corrected["optics"]["rlnAmplitudeContrast"]) == [0.1, 0.1]
    assert "a.mrc" not in (processing / "movies.star").read_text()
    assert read_movie_xml(processing / "a.xml").options_movement is None

    monkeypatch.chdir(processing)
    lists = [(processing / name).read_bytes() for name in ("corrected_micrographs.star", "autopick.star")]
    words[1:4] = [f"../{JOB}/corrected_micrographs.star", "--processing", "../warpcore"]
    again = command(*words, "--json", "--resume")
    assert [one["ran"] for one in json.loads(again.stdout)] == [[], []]
    assert lists == [(processing / name).read_bytes() for name in ("corrected_micrographs.star", "autopick.star")]


def test_the_sum_without_dose_weighting_is_what_the_ctf_is_fitted_to(
    project: Path, command: Callable[..., Done]
) -> None:
    star = project / JOB / "corrected_micrographs.star"
    fits = []
    for processing in ("one", "two"):
        command("import-star", str(star), "--processing", str(project / processing), "--device", "cpu")
        fits.append((project / processing / "powerspectrum" / "a.mrc").read_bytes())
        shutil.copy(project / JOB / "Movies" / "b_noDW.mrc", project / JOB / "Movies" / "a_noDW.mrc")
    assert fits[0] != fits[1]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace("_rlnMicrographMetadata", "_rlnOther"), "no column rlnMicrographMetadata"),
        (lambda text: text.replace("data_optics", "data_other"), "not data_optics and data_micrographs"),
        (lambda text: text.replace("120.000000", "x"), "'x'"),
        (lambda text: text.replace("            7    19.5", "            9    19.5"), "optics group 9"),
        (
            lambda text: text.replace("2.700000     0.100000", "2.700000     0.070000"),
            "amplitude contrasts of 0.07, 0.1",
        ),
        (lambda text: text.replace(f"{JOB}/Movies/a.mrc", "gone.mrc"), "name RELION's project with --project"),
        (lambda text: "no STAR", "not a STAR file"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_in_one_line(
    project: Path, command: Callable[..., Done], damage: Callable[[str], str], said: str
) -> None:
    star = project / JOB / "corrected_micrographs.star"
    star.write_text(damage(star.read_text()))
    done = command("import-star", str(star), "--processing", str(project / "p"), "--device", "cpu")
    assert done.returncode == 1
    assert said in done.stderr
    assert f"{star}: {star}" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not RELION.exists(), reason="needs RELION's own files in ../shared/data")
def test_relions_own_list_and_motion_are_read() -> None:
    found = read_star_micrographs(RELION / "corrected_micrographs.star")
    assert found[0].name == "MotionCorr/job002/Movies/20170629_00021_frameImage.mrc"
    assert found[0].accumulated == (16.420495, 2.506308, 13.914187)
    assert (found[0].optics.voltage_kv, found[0].optics.cs_mm) == (200, 1.4)
    assert found[0].optics.mtf == "mtf_k2_200kV.star"
    assert read_star_exposure(RELION / "motion_metadata.star") == pytest.approx(24 * 1.277)
    with pytest.raises(InputError, match="rlnMicrographMetadata"):
        read_star_micrographs(RELION / "micrographs_ctf.star")
