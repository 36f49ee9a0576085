"""What is handed on with results: a manifest that finds every change, EMPIAR's table, words for a paper, OSC-EM."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tests.running_commands import Done
from warpcore.services.formats.star_files import write_coordinates
from warpcore.services.records.empiar import image_sets
from warpcore.services.records.manifest import MANIFEST, Manifest, make_manifest, read_manifest, verify
from warpcore.services.records.methods import methods_text
from warpcore.services.records.oscem import oscem_document
from warpcore.services.records.processed import Processed, read_processed
from warpcore.services.session.errors import InputError
from warpcore.services.session.movie_record import MovieRecordFile, record_path
from warpcore.services.session.settings import parse_settings

SETTINGS: dict[str, Any] = {
    "import": {"gain_path": "/gains/gain.mrc"},
    "picking": {"diameter": 150},
    "export": {"particles": True, "box_size": 128, "particle_pixel_size": 2.0},
}
CODES = {
    "category": r"^(\('T(?:1[0-4]|[1-9])', ''\))|\('OT', '[^\0]+'\)$",
    "header_format": r"^(\('T(?:1[0-4]|[1-9])', ''\))|\('OT', '[A-Z0-9 ]+'\)$",
    "data_format": r"^(\('T(?:1[0-4]|[1-9])', ''\))|\('OT', '[A-Z0-9 ]+'\)$",
    "voxel_type": r"^(\('T([1-9])', ''\))|\('OT', '[A-Z0-9 ]+'\)$",
}
"""Patterns of EMPIAR's schema (empiar-depositor 1.6b30, empiar_deposition.schema.json)."""
NEEDED = {"name", "directory", "num_images_or_tilt_series", "frames_per_image", *CODES}


def nothing(*told: int) -> None:
    pass


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Three movies with results, of which the last one is beyond the filter."""
    (tmp_path / "data").mkdir()
    settings = parse_settings({**SETTINGS, "import": {**SETTINGS["import"], "data": str(tmp_path / "data")}})
    processing = tmp_path / "processing"
    for number, name in enumerate("abc"):
        tifffile.imwrite(tmp_path / "data" / f"{name}.tif", np.zeros((3, 16, 24), np.uint8), photometric="minisblack")
        told = {"frames": 3, "frames_in_file": 3, "raw_width": 24, "raw_height": 16, "width": 24, "height": 16}
        told |= {"raw_pixel_size_angstrom": 0.8, "pixel_size_angstrom": 0.8, "dose_per_frame": 1.5}
        boxes = {"particles": f"particles/{name}_picks.mrcs", "particle_count": 90}
        results = {
            "input": {**told, "voltage_kv": 300.0, "cs_mm": 2.7},
            "motion": {"mean_frame_movement_angstrom": 1.0},
            "ctf": {"defocus_um": 1.0 + number, "resolution_angstrom": 3.0 + 1.5 * number},
            "picking": {"count": 100 * (number + 1), "method": "network"},
            "export": {"average": f"average/{name}.mrc", **boxes},
        }
        acquired = {"camera": "Falcon 4i", "recorded_at": 1.7e9 + number, "exposure_dose": 4.5}
        record = MovieRecordFile(f"{name}", f"{name}.tif", 1, number, {}, results, {}, {"frames": 3}, acquired)
        path = processing / record_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record.text)
    (processing / "settings.json").write_text(json.dumps(settings.to_dict()))
    return processing


@pytest.fixture
def session(site: Path) -> Processed:
    return read_processed(site)


def test_empiars_table_has_movies_averages_and_particles_by_its_schema(session: Processed) -> None:
    movies, averages, particles = image_sets(session)
    for one in (movies, averages, particles):
        assert set(one) >= NEEDED
        for name, pattern in CODES.items():
            assert re.search(pattern, one[name]), (name, one[name])
    codes = [movies[name] for name in ("category", "header_format", "voxel_type")]
    assert codes == ["('T2', '')", "('T3', '')", "('T1', '')"]  # movies of several frames, TIFF, unsigned bytes
    assert (movies["num_images_or_tilt_series"], movies["frames_per_image"], movies["pixel_width"]) == (3, 3, 0.8)
    assert (movies["image_width"], movies["image_height"]) == (24, 16)
    assert (particles["num_images_or_tilt_series"], particles["pixel_width"]) == (270, 2)


def test_empiars_counts_are_those_of_the_patterns_and_say_what_passes_the_filter(session: Processed) -> None:
    _, averages, particles = image_sets(session)
    assert averages["num_images_or_tilt_series"] == 3
    assert averages["details"].endswith("; 2 of the 3 micrographs passed the session's filter")
    assert particles["details"] == "boxes of 3 micrographs; 180 of the 270 particles passed the session's filter"
    del session.movies[2]
    _, averages, particles = image_sets(session)
    assert (averages["details"], particles["details"]) == ("dose-weighted sums", "boxes of 2 micrographs")


def test_empiars_patterns_match_the_files_of_their_set_alone(session: Processed) -> None:
    def patterns() -> list[str | None]:
        movies, averages, particles = image_sets(session)
        found = [one["micrographs_file_pattern"] for one in (movies, averages)]
        return [*found, particles["picked_particles_file_pattern"]]

    assert patterns() == ["data/movies/*.tif", "data/average/*.mrc", "data/particles/*.mrcs"]
    moved = session.movies[0].results["export"]
    moved |= {"average": "average/grid 1/a.mrc", "particles": "particles/grid 1/a_picks.mrcs"}
    assert patterns() == ["data/movies/*.tif", "data/average/**/*.mrc", "data/particles/**/*.mrcs"]


def test_without_a_movie_to_look_into_the_voxel_type_is_not_guessed(site: Path, session: Processed) -> None:
    for path in (site.parent / "data").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="voxel_type"):
        image_sets(session)


def test_the_methods_say_what_was_done_and_how_many(session: Processed) -> None:
    text = methods_text(session, "1.2.3")
    for words in (
        "3 movies were multiplied by the gain reference and processed with warpcore 1.2.3.",
        "300 kV (spherical aberration 2.7 mm), with 0.8 Å per pixel, in 3 frames of 1.5 e⁻/Å² each (4.5 e⁻/Å² in all)",
        "defocus was 1.00 to 2.00 µm",
        "300 particles of 150 Å were picked (network, threshold 0.5).",
        "180 particles were extracted in boxes of 128 pixels at 2 Å per pixel.",
        "2 of the movies passed the limits of the filter, with CTF fits to 3.8 Å (median).",
    ):
        assert words in text


def test_frames_that_were_skipped_are_of_the_recording_all_the_same(session: Processed) -> None:
    for one in session.movies:
        one.results["input"] |= {"frames": 1, "first_frame": 2}
    text = methods_text(session, "1.2.3")
    assert "in 3 frames of 1.5 e⁻/Å² each (4.5 e⁻/Å² in all), of which 1 entered the average." in text


def test_what_was_assumed_is_not_told_as_recorded(session: Processed) -> None:
    for one in session.movies:
        one.results["input"]["sources"] = {"ctf.voltage": "assumed", "ctf.cs": "assumed"}
    text = methods_text(session, "1.2.3")
    assert "recorded at an assumed 300 kV (assumed spherical aberration 2.7 mm), with 0.8 Å per pixel" in text
    document, missing = oscem_document(session)
    assert "acceleration_voltage" not in document["instrument"]
    assert "cs" not in document["instrument"]
    assert "instrument.acceleration_voltage" in missing


def test_oscem_has_what_is_known_and_names_what_its_schema_needs_besides(session: Processed) -> None:
    document, missing = oscem_document(session)
    assert document["acquisition"]["pixel_size"]["value"] == 0.8
    assert document["acquisition"]["pixel_size"]["valueSI"] == pytest.approx(8e-11)
    assert document["acquisition"]["detectors"] == [{"name": "Falcon 4i"}]
    assert document["acquisition"]["date_time"].startswith("2023-11-14T22:13:20")
    assert document["instrument"]["acceleration_voltage"]["valueSI"] == 3e5
    assert document["processing"]["coordinates"]["number_particles"] == 300
    assert missing == [
        "acquisition.binning_camera",
        "instrument.microscope",
        "instrument.illumination",
        "instrument.imaging",
        "instrument.electron_source",
    ]


def test_a_manifest_finds_what_is_missing_changed_or_new(site: Path) -> None:
    made, read = make_manifest(site, "warpcore", nothing)
    assert read == len(made.files) == 4
    assert made.complete
    assert set(made.files) == {"settings.json", *(f"records/{name}.json" for name in "abc")}
    assert verify(site, read_manifest(site), nothing).missing == []
    (site / "records" / "a.json").unlink()
    content = (site / "records" / "b.json").read_bytes()
    (site / "records" / "b.json").write_bytes(content[:-2] + b"x}")  # of the same size
    (site / "more.txt").write_text("new")
    found = verify(site, read_manifest(site), nothing)
    assert (found.missing, found.changed, found.added) == (["records/a.json"], ["records/b.json"], ["more.txt"])


def test_a_manifest_is_made_again_by_reading_only_what_has_changed(site: Path) -> None:
    first, _ = make_manifest(site, "warpcore", nothing)
    again, read = make_manifest(site, "warpcore", nothing)
    assert (again, read) == (first, 0)
    os.utime(site / "settings.json", ns=(1, 1))
    _, read = make_manifest(site, "warpcore", nothing)
    assert read == 1


def test_a_manifest_that_was_cut_short_is_gone_on_with(site: Path, command: Callable[..., Done]) -> None:
    whole, _ = make_manifest(site, "warpcore", nothing)
    (name, entry), *_ = whole.files.items()
    cut = Manifest("warpcore", False, {name: entry})
    (site / MANIFEST).write_text(json.dumps({"made_by": "warpcore", "complete": False, "files": {
        name: {"size": entry.size, "sha256": entry.sha256, "mtime_ns": entry.mtime_ns}}}))  # fmt: skip
    assert read_manifest(site) == cut
    done = command("records", "manifest", "--processing", str(site), "--verify")
    assert done.returncode == 1
    assert "not complete" in done.stderr
    made, read = make_manifest(site, "warpcore", nothing)
    assert made == whole
    assert read == len(whole.files) - 1


def test_the_commands_print_and_end_in_1_where_files_differ(site: Path, command: Callable[..., Done]) -> None:
    words = ("--processing", str(site))
    assert command("records", "manifest", *words).returncode == 0
    assert json.loads(command("records", "empiar", *words).stdout)["imagesets"][0]["name"] == "movies"
    assert command("records", "empiar", *words, "--csv").stdout.startswith("name,directory,category,")
    assert command("records", "methods", *words).stdout.startswith("3 movies")
    assert "fill it in: instrument.microscope" in command("records", "oscem", *words).stderr
    (site / "settings.json").write_text("{}")
    done = command("records", "manifest", *words, "--verify")
    assert done.returncode == 1
    assert "settings.json: changed" in done.stderr


@pytest.mark.parametrize("what", ["methods", "empiar", "oscem"])
def test_a_folder_without_records_is_refused(tmp_path: Path, command: Callable[..., Done], what: str) -> None:
    done = command("records", what, "--processing", str(tmp_path))
    assert done.returncode == 1
    assert "no records of movies" in done.stderr


def test_cryosparcs_datasets_follow_relions_groups_and_the_filter(site: Path, command: Callable[..., Done]) -> None:
    header = "\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographMetadata #2\n_rlnOpticsGroup #3\n"
    rows = "average/a.mrc motion/a.star 1\n'average/b.mrc' 'motion/b b.star' 4\n\n"
    (site / "corrected_micrographs.star").write_text(header + rows)
    for name in "ab":
        path = site / record_path(name)
        record = json.loads(path.read_text())
        record["results"]["ctf"] |= {"defocus_u_angstrom": 11000.0, "defocus_v_angstrom": 10000.0}
        record["results"]["ctf"] |= {"defocus_angle_degrees": 30.0}
        record["results"]["picking"]["coordinates"] = f"matching/{name}_picks.star"
        path.write_text(json.dumps(record))
        (site / "matching").mkdir(exist_ok=True)
        write_coordinates(site / "matching" / f"{name}_picks.star", [12.0], [4.0], [0.9])
    done = command("records", "cryosparc", "--processing", str(site))
    assert done.returncode == 0, done.stderr
    exposures = np.load(site / "cryosparc" / "exposures.cs")
    picks = np.load(site / "cryosparc" / "picks.cs")
    assert list(exposures["mscope_params/exp_group_id"]) == [1, 4]
    assert list(picks["location/center_x_frac"]) == [0.5, 0.5]  # of 24 px
    assert list(picks["location/center_y_frac"]) == [0.25, 0.25]  # of 16 px
    np.save(site / "imported.npy", np.zeros(1, [("uid", "<u8"), ("micrograph_blob/path", "S9")]))
    done = command("records", "cryosparc", "--processing", str(site), "--micrographs", str(site / "imported.npy"))
    assert done.returncode == 1
    assert "2 micrographs are not among those" in done.stderr
    picked = site / "matching" / "a_picks.star"
    picked.unlink()
    os.mkfifo(picked)
    done = command("records", "cryosparc", "--processing", str(site))
    assert done.returncode == 1
    assert "a_picks.star" in done.stderr, "a pipe in a result's place is told, and not waited for"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a link to another user")
def test_a_link_of_another_user_in_a_results_place_is_in_no_manifest_and_told_as_changed(
    site: Path, tmp_path: Path
) -> None:
    """Also where what it leads to has the length of the result, so that size alone shows nothing."""
    own, secret = site / "average" / "own.mrc", tmp_path / "secret"
    own.parent.mkdir(exist_ok=True)
    own.write_bytes(b"pixels")
    make_manifest(site, "warpcore", nothing)
    secret.write_bytes(b"secret")
    own.unlink()
    own.symlink_to(secret)
    os.lchown(own, 4321, 4321)
    assert verify(site, read_manifest(site), nothing).changed == ["average/own.mrc"]
    again, _ = make_manifest(site, "warpcore", nothing)
    assert "average/own.mrc" not in again.files
