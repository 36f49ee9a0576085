"""Templates and weights that settings name: refused when they are set, and part of what picking depends on."""

from __future__ import annotations

import os
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from warpcore.kernels.picking._weights import FORMAT, Calibration, Network, initial_parameters, write_network
from warpcore.services.readers.picking_files import WEIGHTS_FORMAT
from warpcore.services.scheduler.shell.references import check_kinds, check_references, with_known
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.session.fingerprints import FingerprintPlan, same_costly_half, steps_to_run
from warpcore.services.session.named_files import used_files
from warpcore.services.session.settings import Settings, SettingsError, parse_settings, patch_settings

PARAMETERS = initial_parameters(np.random.default_rng(0))
CALIBRATION = Calibration(1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0)


def weights(path: Path, seed: int = 0) -> Path:
    network = Network(initial_parameters(np.random.default_rng(seed)), CALIBRATION)
    path.write_bytes(write_network(network, {"seed": seed}))
    return path


def templates(path: Path, shape: tuple[int, ...] = (3, 20, 20), pixel: float = 4.0) -> Path:
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32))
        file.voxel_size = pixel
    return path


def learnt(path: Path | str) -> Settings:
    return parse_settings({"picking": {"method": "network", "diameter": 130.0, "weights_path": str(path)}})


def matched(path: Path | str) -> Settings:
    return parse_settings({"picking": {"method": "template", "templates_path": str(path)}})


def test_a_users_own_weights_and_templates_are_taken(tmp_path: Path) -> None:
    assert WEIGHTS_FORMAT == FORMAT
    assert check_kinds(learnt(weights(tmp_path / "own.npz")), Settings()) == []
    assert check_kinds(matched(templates(tmp_path / "own.mrcs")), Settings()) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"rubbish", "is not a picker's weights file"),
        (b"PK\x03\x04 rubbish", "is not a picker's weights file"),
        (write_network(Network({"full.bias": np.zeros(12)}, CALIBRATION), {}), "another network"),  # type: ignore[dict-item]
        (write_network(Network(PARAMETERS, CALIBRATION), {"format": "other-9"}), "another format"),
        (write_network(Network(PARAMETERS, CALIBRATION), {"calibration": None}), "no calibration"),
        (
            write_network(Network({**PARAMETERS, "full.bias": PARAMETERS["full.bias"] * np.nan}, CALIBRATION), {}),
            "non-finite",
        ),
    ],
)
def test_a_file_that_is_no_weights_is_refused_when_it_is_set(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(content)
    (fault,) = check_kinds(learnt(path), Settings())
    assert (fault["name"], fault["value"]) == ("picking.weights_path", str(path))
    assert problem in fault["problem"]


def test_templates_that_cannot_match_are_refused_when_they_are_set(tmp_path: Path) -> None:
    for made, problem in (
        (templates(tmp_path / "wide.mrcs", (2, 10, 14)), "not a stack of square images"),
        (templates(tmp_path / "unknown.mrcs", pixel=0.0), "no pixel size"),
    ):
        (fault,) = check_kinds(matched(made), Settings())
        assert fault["name"] == "picking.templates_path"
        assert problem in fault["problem"]


def test_files_that_the_method_does_not_use_do_not_matter(tmp_path: Path) -> None:
    named = patch_settings(learnt(tmp_path / "absent.npz"), {"picking": {"method": "blob"}})
    assert check_references(named) == ("", [])
    assert check_kinds(named, patch_settings(named, {"picking": {"diameter": 120.0}})) == []


@pytest.mark.parametrize(
    ("method", "reads"),
    [("auto", ["t", "w"]), ("both", ["w"]), ("network", ["w"]), ("template", ["t"]), ("blob", [])],
)
def test_files_count_for_every_method_that_reads_them(method: str, reads: list[str]) -> None:
    """Replaced, they change what is picked; a bad one must be refused when it is set."""
    options = {"method": method, "diameter": 130.0, "templates_path": "/t", "weights_path": "/w"}
    settings = parse_settings({"picking": options})
    assert [Path(one.path).name for one in used_files(settings)] == reads
    before = patch_settings(settings, {"picking": {"diameter": 120.0}})
    assert [fault["value"] for fault in check_kinds(settings, before)] == [f"/{name}" for name in reads]


def test_what_a_file_holds_counts_and_not_when_it_was_written(tmp_path: Path) -> None:
    path = weights(tmp_path / "own.npz")
    first, _ = check_references(learnt(path))
    os.utime(path, ns=(1, 1))
    assert check_references(learnt(path)) == (first, [])
    weights(path, seed=1)
    second, _ = check_references(learnt(path))
    assert second != first
    before, after = (FingerprintPlan(learnt(path), one).wanted(1, 2) for one in (first, second))
    assert steps_to_run(after, before) == ["picking"]
    assert not same_costly_half("picking", after, before)
    assert FingerprintPlan(learnt(path), first) != FingerprintPlan(learnt(path), second)


def test_a_file_that_cannot_be_looked_at_just_now_stays_what_it_was() -> None:
    known = "gain_path:1:2 defects_path:3:4 picking.weights_path:abc"
    faults = [{"name": "import.gain_path"}]
    assert with_known("defects_path:3:4 picking.weights_path:abc", known, faults) == known
    assert with_known("picking.weights_path:def", "picking.weights_path:abc", []) == "picking.weights_path:def"


def test_a_session_refuses_bad_files_and_sees_that_a_template_was_replaced(tmp_path: Path) -> None:
    data, processing = tmp_path / "data", tmp_path / "processing"
    data.mkdir()
    stack = templates(tmp_path / "own.mrcs")
    session = Session(data, processing, settings=matched(stack))
    try:
        wanted = session.state.plan.wanted(1, 2)
        with pytest.raises(SettingsError, match=r"picking.weights_path = .*nowhere.npz': cannot be read: No such file"):
            session.checked(learnt(tmp_path / "nowhere.npz"))
        (tmp_path / "bad.npz").write_bytes(b"")
        with pytest.raises(SettingsError, match=r"picking.weights_path = .*bad.npz': is not a picker's weights file"):
            session.checked(learnt(tmp_path / "bad.npz"))
    finally:
        session.close()
    templates(stack, (4, 20, 20))
    session = Session(data, processing)
    try:
        assert steps_to_run(session.state.plan.wanted(1, 2), wanted) == ["picking"]
    finally:
        session.close()


def test_fingerprints_tell_what_a_setting_touches() -> None:
    base = parse_settings({"picking": {"diameter": 130.0}, "export": {"particles": True}})
    before = FingerprintPlan(base).wanted(1, 2)
    for patch, steps, scores_kept, images_kept in (
        ({"picking": {"threshold": 0.4}}, ["picking", "export"], True, True),
        ({"picking": {"minimum_distance": 90.0}}, ["picking", "export"], False, True),
        ({"export": {"box_size": 64}}, ["export"], True, True),
        ({"export": {"normalize": False}}, ["export"], True, True),
        ({"export": {"particles": False}}, ["export"], True, True),
        ({"export": {"float16": True}}, ["export"], True, False),
        ({"export": {"halves": True}}, ["export"], True, False),
        ({"ctf": {"range_max": 5.0}}, ["ctf", "picking", "export"], False, False),
    ):
        after = FingerprintPlan(patch_settings(base, patch)).wanted(1, 2)
        assert steps_to_run(after, before) == steps, patch
        assert same_costly_half("picking", after, before) == scores_kept, patch
        assert same_costly_half("export", after, before) == images_kept, patch
