"""What microscopes and other programs say in text: XML, mdoc, JSON by a template, STAR, cryoSPARC's datasets."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np

from tests.fuzz.decoder import decoder
from tests.fuzz.mutating import Form
from tests.fuzz.whole_files import EER_ITEMS, bytes_of, eers, made_eer
from tests.services.metadata_files import epu_xml, mdoc
from warpcore.bus.messages.acquisition import Acquisition
from warpcore.services.formats.cryosparc import read_exposure_uids
from warpcore.services.formats.star_micrographs import read_star_exposure, read_star_micrographs
from warpcore.services.formats.star_text import loop_block, pairs_block, read_loops, row_words
from warpcore.services.formats.warp_options import Acquisition as Recorded
from warpcore.services.formats.warp_options import ctf_options, movement_options
from warpcore.services.formats.warp_results import warp_results, warp_settings_of
from warpcore.services.formats.warp_settings import read_warp_settings
from warpcore.services.formats.warp_settings_writing import warp_settings
from warpcore.services.formats.warp_xml import Grid, MovieXml, WarpCtf, set_selection, write_movie_xml
from warpcore.services.formats.warp_xml_reading import read_movie_xml
from warpcore.services.readers.metadata import MetadataError, parsed_template, read_eer_metadata, read_metadata
from warpcore.services.readers.metadata.beside import metadata_beside
from warpcore.services.readers.metadata.eer import parsed_eer_metadata
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import Settings, SettingsError

XML_WORDS = (
    *b"&a; &#1; &#1114112; ]]> <![CDATA[ <a> </a> <a nan , | ;".split(),
    b"<!DOCTYPE a [<!ENTITY b 'ha'>]>",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"<?xml version='1.0' encoding='idna'?>",
    b"encoding='unicode_escape'",
    b" xmlns='u'",
    b"<Param Name='a' Value='b'/>",
)
TEMPLATE = parsed_template(b'{"voltage_kv": "a.b", "frames": "c.0", "hole": "d", "recorded_at": "e"}')
DEFAULTS = Settings()


def _can_be_sent(told: Acquisition | None) -> None:
    """As another process checks it: whole, and no number that is none."""
    if told is not None:
        assert Acquisition.from_body(msgspec.msgpack.decode(msgspec.msgpack.encode(told.to_body()))) == told
        values = [getattr(told, name) for name in told.__struct_fields__]
        assert all(math.isfinite(value) for value in values if isinstance(value, float))


@decoder(MetadataError, seeds=lambda: [epu_xml(), epu_xml(custom={"DoseOnCamera": 40})], words=XML_WORDS)
def epu(data: bytes) -> None:
    """EPU's XML."""
    _can_be_sent(read_metadata(data, "a.xml", "a.mrc"))


MDOC_WORDS = (b"[FrameSet = 1]\n", b"[ZValue = 0]\n", b"[a", b" = ", b"#", b"FrameDosesAndNumber = 1 2 3\n", b"\n ")


@decoder(MetadataError, seeds=lambda: [mdoc(1), mdoc(2)], words=MDOC_WORDS)
def mdoc_of_serialem(data: bytes) -> None:
    """SerialEM's mdoc."""
    _can_be_sent(read_metadata(data, "a.mdoc", "grid_1.tif"))


JSON = b'{"a": {"b": 300}, "c": [40], "d": "h", "e": "2020-01-01"}'


@decoder(MetadataError, seeds=lambda: [JSON], form=Form.JSON)
def json_by_template(data: bytes) -> None:
    """Another program's JSON."""
    _can_be_sent(read_metadata(data, "a.json", "a.tif", TEMPLATE))


TEMPLATES = (b'{"voltage_kv": "scope.kv", "exposure_dose": {"path": "dose.total", "factor": 0.01}, "frames": "c.0"}',)


@decoder(MetadataError, seeds=lambda: TEMPLATES, form=Form.JSON)
def template_of_metadata(data: bytes) -> None:
    """A user's template, then a JSON read by it."""
    template = parsed_template(data)
    _can_be_sent(read_metadata(b'{"scope": {"kv": 300}, "dose": {"total": 1e300}, "c": [3]}', "a.json", "a", template))


@decoder(MetadataError, seeds=lambda: [EER_ITEMS], words=XML_WORDS)
def eer_items(data: bytes) -> None:
    """The XML in the header of an EER."""
    _can_be_sent(parsed_eer_metadata(data))


@decoder(InputError, seeds=eers, made=made_eer, suffix=".eer")
def eer_header(path: Path) -> None:
    """The metadata of a whole EER."""
    metadata_beside(path)
    _can_be_sent(read_eer_metadata(path))


# --- STAR ------------------------------------------------------------------------------------------------------------

OPTICS = (
    "rlnOpticsGroupName",
    "rlnOpticsGroup",
    "rlnMicrographOriginalPixelSize",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
    "rlnMicrographPixelSize",
)
MICROGRAPHS = ("rlnMicrographName", "rlnMicrographMetadata", "rlnOpticsGroup", "rlnAccumMotionTotal")
STAR_WORDS = (*b"data_ _rln save_ stop_ # ' ? . 1.5(3)".split(), b"loop_\n", b"\n;", b'"', b"data_optics\n")


def star_lists() -> list[bytes]:
    """A list of micrographs."""
    optics = loop_block("optics", OPTICS, ["opticsGroup1 1 0.8 300.0 2.7 0.1 1.6"])
    rows = ["a.mrc a.star 1 12.5", "'b c.mrc' b.star 1 3"]
    return [(optics + loop_block("micrographs", MICROGRAPHS, rows)).encode()]


@decoder(InputError, seeds=star_lists, words=STAR_WORDS, suffix=".star")
def star_micrographs(path: Path) -> None:
    """RELION's list of corrected micrographs."""
    read_star_micrographs(path)


def star_motions() -> list[bytes]:
    """A micrograph's motion STAR."""
    told = {"rlnImageSizeZ": 24, "rlnMicrographDoseRate": 1.2, "rlnMicrographPreExposure": 0.0}
    return [pairs_block("general", told).encode()]


@decoder(seeds=star_motions, words=STAR_WORDS, suffix=".star")
def star_motion(path: Path) -> None:
    """The dose of a micrograph's motion STAR: none where it cannot be told."""
    read_star_exposure(path)


@decoder(ValueError, seeds=lambda: [*star_lists(), *star_motions()], words=STAR_WORDS)
def star_loops(data: bytes) -> None:
    """Loops of STAR files of our own."""
    for loop in read_loops(data.decode("utf-8", "replace")).values():
        for row in loop.rows:
            row_words(row)


# --- Warp and cryoSPARC ----------------------------------------------------------------------------------------------


def movie_xmls() -> list[bytes]:
    """A movie's XML as Warp writes it, whole and almost empty."""
    recorded, grid = Recorded(64, 32, 4, 0.5, 1.2), Grid.of(np.arange(6.0).reshape(1, 2, 3))
    whole = MovieXml(
        "/data",
        options_ctf=ctf_options(DEFAULTS, recorded),
        options_movement=movement_options(DEFAULTS, recorded),
        ps1d=np.array([[0.0, 1.5], [0.25, 2e-7]]),
        ctf=WarpCtf(0.5, 300.0, 2.7, 0.07, 2.7, 0.02, 33.5, 0.1),
        grids={"GridCTF": grid},
        pyramid_shift_x=(grid,),
        picking_thresholds={"picks": 0.5},
    )
    return [bytes_of(".xml", lambda path, xml=one: write_movie_xml(path, xml)) for one in (whole, MovieXml("/d"))]


@decoder(InputError, seeds=movie_xmls, words=XML_WORDS, suffix=".xml")
def warp_movie_xml(path: Path) -> None:
    """A movie's XML, and what is taken over from it."""
    movie = read_movie_xml(path)
    warp_results(movie, "a.mrc")
    warp_settings_of(movie)


@decoder(InputError, seeds=movie_xmls, words=(*XML_WORDS, b"<Movie ", b' UnselectFilter="'), suffix=".xml")
def selection_in_warp_movie_xml(path: Path) -> None:
    """A movie's XML in which the user's selection is changed."""
    set_selection(path, unselect_filter=True, unselect_manual=None)


def settings_files() -> list[bytes]:
    """Warp's settings as this project writes them."""
    return [warp_settings(DEFAULTS, "/d", "/p")[0].encode()]


@decoder(InputError, SettingsError, seeds=settings_files, words=XML_WORDS, suffix=".settings")
def warp_settings_file(path: Path) -> None:
    """Warp's `.settings`."""
    read_warp_settings(path)


def datasets() -> list[bytes]:
    """A `.cs` of two exposures."""
    rows = np.zeros(2, [("uid", "<u8"), ("micrograph_blob/path", "S20")])
    rows["uid"], rows["micrograph_blob/path"] = (1, 2), (b"J1/1234567890123456_a.mrc", b"b.mrc")
    file = BytesIO()
    np.save(file, rows)
    return [file.getvalue()]


DATASET_WORDS = (b"'<u8'", b"'|O'", b"'descr': ", b"'shape': (2,)", b"(2,)", b"(99999999999,)", b"'S20'", b"()", b"(")


@decoder(InputError, seeds=datasets, words=DATASET_WORDS, suffix=".cs")
def cryosparc_dataset(path: Path) -> None:
    """The uids of cryoSPARC's exposures."""
    read_exposure_uids(path)
