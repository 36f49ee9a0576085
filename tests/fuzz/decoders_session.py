"""What a session is told, and what it and its workers keep: settings, records, results of earlier runs."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np

from tests.fuzz.decoder import MIB, decoder
from tests.fuzz.mutating import Form
from tests.fuzz.whole_files import mrc_images
from warpcore.bus.envelope import WireError
from warpcore.bus.messages.picks import HandPicks
from warpcore.kernels.motion import MotionModel
from warpcore.kernels.picking import Calibration, Network, initial_parameters, write_network
from warpcore.services.api.pictures import documents
from warpcore.services.api.pictures.documents import Measured
from warpcore.services.api.pictures.images import mapped
from warpcore.services.formats.star_text import loop_block, star_row
from warpcore.services.notifier.configuration import ConfigurationError, read_configuration
from warpcore.services.readers.picking_files import WEIGHTS_FORMAT, read_weights
from warpcore.services.records.manifest import MANIFEST, read_manifest
from warpcore.services.session.errors import InputError
from warpcore.services.session.generations import Generation, generation_from, manifest_of
from warpcore.services.session.hand_picks import edits_id, placed
from warpcore.services.session.migrations import adopt, load_settings_file
from warpcore.services.session.movie_record import MovieRecordFile, read_records, record_path
from warpcore.services.session.settings import (
    PickingSettings,
    Settings,
    SettingsError,
    parse_assignment,
    parse_settings,
    patch_settings,
)
from warpcore.services.worker import stored
from warpcore.services.worker.steps.picking_methods import read_templates
from warpcore.services.worker.warm_up import recalled

DOTTED = (b"ctf.voltage=200", b'import.patterns=["*.tif"]', b"ctf.grid=[5,5]", b"import.gain_path=/g.mrc", b"x.y=z")


def whole_settings() -> list[bytes]:
    """All settings with their defaults."""
    return [json.dumps(Settings().to_dict()).encode()]


@decoder(SettingsError, seeds=whole_settings, form=Form.JSON)
def settings_of_session(data: bytes) -> None:
    """All settings, given as a whole, as a change, and as stored by an earlier version."""
    raw = _json(data)
    if isinstance(raw, dict):
        adopt(raw)
        patch_settings(parse_settings(raw), raw)


@decoder(SettingsError, seeds=lambda: DOTTED, words=(b"=", b".", b"ctf.", b"[", b'"', b"null"))
def assignment(data: bytes) -> None:
    """A setting on the command line."""
    patch_settings(Settings(), parse_assignment(data.decode("utf-8", "replace")))


@decoder(SettingsError, seeds=whole_settings, form=Form.JSON, suffix=".json")
def settings_file(path: Path) -> None:
    """A file of settings."""
    load_settings_file(path)


TOML = (
    b'session = "Krios"\nseverity = "warning"\n[webhook]\nurl = "https://example.org/x"\nheaders = {A = "b"}\n'
    b'[email]\nto = ["a@b.c"]\nfrom = "d@b.c"\nserver = "s"\nport = 25\n',
)


@decoder(ConfigurationError, seeds=lambda: TOML, words=(b"[email]\n", b" = ", b'"""', b"[[", b"a."), suffix=".toml")
def notify_file(path: Path) -> None:
    """Where alarms are sent."""
    read_configuration(path)


# --- what is kept ----------------------------------------------------------------------------------------------------


def records() -> list[bytes]:
    """A movie's record."""
    made = {"motion": ["motion/a.json"]}
    known = {"header": {"frames": 2}, "acquisition": {"kind": "epu"}}
    record = MovieRecordFile("a", "a.tif", 5, 7, {"motion": "f"}, {"motion": {"x": 1.5}}, made, **known)
    return [record.text.encode()]


@decoder(seeds=records, form=Form.JSON, suffix=".json")
def movie_record(path: Path) -> None:
    """A movie's record: None for what cannot be used."""
    kept = path.parent / record_path("a")
    kept.parent.mkdir(parents=True, exist_ok=True)
    path.rename(kept)
    ((_, record),) = read_records(path.parent)
    assert record is None or record.name == "a"


GENERATION = Generation({"motion": "f"}, {"motion": {"x": 1.5}}, {"motion": ["motion/a.json"]})


@decoder(seeds=lambda: [manifest_of(GENERATION).encode()], form=Form.JSON)
def kept_generation(data: bytes) -> None:
    """What a kept generation is: None for what is none."""
    generation_from(data.decode("utf-8", "replace"))


MANIFESTS = (b'{"made_by": "w", "complete": true, "files": {"a": {"size": 1, "sha256": "0", "mtime_ns": 2}}}',)


@decoder(InputError, seeds=lambda: MANIFESTS, form=Form.JSON, suffix=".json")
def manifest_of_folder(path: Path) -> None:
    """The manifest of a processing directory."""
    path.rename(path.parent / MANIFEST)
    read_manifest(path.parent)


LAST_MOVIE = {"frames": 3, "height": 4, "width": 5, "dtype": "uint8", "pixel_size_angstrom": 1.0, "dose_per_frame": 1.0}


@decoder(seeds=lambda: [json.dumps({**LAST_MOVIE, "settings": {}}).encode()], form=Form.JSON, suffix=".json")
def last_movie(path: Path) -> None:
    """What the last movie was like: None for what cannot be used."""
    path.rename(path.parent / "last_movie.json")
    recalled(path.parent)


# --- results of earlier runs -----------------------------------------------------------------------------------------

MEASURED = Measured(10.0, 10.0, False)
PICKED = documents.Picked(8, 8, 1.0, 100.0, 0.5, 0.9, False, "blob", 1, HandPicks())


def motions() -> list[bytes]:
    """A motion model with its tracks."""
    model = MotionModel(3, np.zeros((2, 2), np.float32), np.ones((1, 2, 2, 2), np.float32), None)
    tracks = {"tracks_5x5_angstrom": [[[[0.0, 1.0]]]], "track_angstrom": [[0.0, 1.0]], "dose_per_frame": 1.0}
    return [json.dumps({**model.to_dict(), **tracks}).encode()]


@decoder(InputError, seeds=motions, form=Form.JSON, suffix=".json")
def stored_motion(path: Path) -> None:
    """Motion as a worker and the page read it back."""
    stored.read_motion(path)
    documents.tracks(path, MEASURED)


def ctfs() -> list[bytes]:
    """A CTF fit with its curves."""
    curves = {name: [0.5, 1.0] for name in ("frequency", "spectrum", "background", "scale", "model", "quality")}
    fit = {
        "defocus_u_angstrom": 2e4,
        "defocus_v_angstrom": 1.9e4,
        "angle_degrees": 3.0,
        "phase_shift_degrees": 0.0,
        "figure_of_merit": 0.3,
        "resolution_angstrom": 4.0,
        "failure": None,
        "warnings": [],
        "ice_ring": 0.1,
        "confidence": 0.9,
        "curves": curves,
    }
    grid = {"dims": [2, 1], "values_um": [2.0, 2.1], "tilt_degrees": None, "tilt_axis_degrees": None}
    return [json.dumps({**fit, "grid": grid}).encode()]


@decoder(InputError, seeds=ctfs, form=Form.JSON, suffix=".json")
def stored_ctf(path: Path) -> None:
    """A CTF fit as a worker and the page read it back."""
    stored.read_ctf(path)
    documents.curves(path)


CANDIDATES = {"x_px": [1.0, 2.0], "y_px": [3.0, 4.0], "scores": [0.9, 0.1], "score_histogram": [1, 1]}


@decoder(InputError, seeds=lambda: [json.dumps(CANDIDATES).encode()], form=Form.JSON, suffix=".json")
def stored_candidates(path: Path) -> None:
    """Scored candidates as a worker and the page read them back."""
    stored.read_candidates(path)
    documents.picks(path, PICKED)


def pick_lists() -> list[bytes]:
    """A coordinate file."""
    rows = [star_row([1.0, 2.0, 0.5]), star_row([3.0, 4.0, 0.25])]
    return [loop_block("", stored.PICK_COLUMNS, rows).encode()]


@decoder(seeds=pick_lists, words=(b"loop_\n", b"data_", b"_rlnCoordinateX", b" nan "), suffix=".star")
def stored_picks(path: Path) -> None:
    """A coordinate file as a worker reads it back: None for what is none."""
    stored.read_picks(path)


@decoder(InputError, seeds=mrc_images, suffix=".mrc")
def stored_image(path: Path) -> None:
    """An average, a mask and a spectrum as a worker and the page read them back."""
    stored.read_average(path)
    stored.read_junk(path, 1.0)
    np.asarray(mapped(path))


@decoder(InputError, seeds=mrc_images, suffix=".mrc")
def templates_of_worker(path: Path) -> None:
    """Templates as a worker reads them, without the projections of a map."""
    read_templates(PickingSettings(templates_path=str(path)))


_WEIGHTS_BYTES = 2 * 64 * MIB
"""All that is read of a picker's file, packed and unpacked."""


def weights() -> list[bytes]:
    """A network of zeros, which takes a few kB; and files of another network, with and without compression."""
    zeros = {name: np.zeros(value.shape) for name, value in initial_parameters(np.random.default_rng(0)).items()}
    about = np.frombuffer(json.dumps({"format": WEIGHTS_FORMAT, "calibration": {}}).encode(), np.uint8)
    plain, packed = BytesIO(), BytesIO()
    np.savez(plain, about=about, bias=np.zeros(3, np.float16))
    np.savez_compressed(packed, about=about, bias=np.zeros(3, np.float16))
    return [
        write_network(Network(zeros, Calibration(*[1.0] * len(Calibration._fields))), {}),
        plain.getvalue(),
        packed.getvalue(),
    ]


@decoder(InputError, seeds=weights, suffix=".npz", fixed_bytes=_WEIGHTS_BYTES)
def weights_file(path: Path) -> None:
    """A picker's weights, when they are set."""
    read_weights(path)


HAND_PICKS = (b'{"added": [[1.5, 2.5]], "removed": [[3, 4]], "width": 40, "height": 30}',)


@decoder(WireError, seeds=lambda: HAND_PICKS, form=Form.JSON)
def hand_picks(data: bytes) -> None:
    """A person's edits of picks."""
    raw = _json(data)
    if isinstance(raw, dict):
        edits = HandPicks.from_body(raw)
        edits_id(edits)
        if edits.width > 0 and edits.height > 0:  # the scheduler sets them by the average
            placed(edits.added, edits, 20, 15)


def _json(data: bytes) -> object:
    """The JSON of an input, None for what is none: its own reader is under test elsewhere."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
