"""Movies, references and the files that picking's settings name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tests.fuzz.decoder import decoder
from tests.fuzz.whole_files import (
    dms,
    eers,
    gains,
    made_eer,
    made_mrc,
    made_tiff,
    mrc_images,
    mrcs,
    tiffs,
)
from warpcore.services.readers.containers import ContainerError, check_container
from warpcore.services.readers.defects import check_defects, read_defects
from warpcore.services.readers.gain import read_gain
from warpcore.services.readers.metadata.header import file_header
from warpcore.services.readers.movies import read_header, read_movie
from warpcore.services.readers.picking_files import check_templates
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings, PickingSettings

SETTINGS = ImportSettings()
EACH_FRAME = ImportSettings(eer_groups=None, eer_frames_per_group=1, eer_upsampling=4)
TIFF_BYTES_PER_BYTE = 42_000
"""ZSTD can make 32 768 bytes of one; reading takes at most a quarter more than the decoded stack."""
EER_BYTES_PER_BYTE = 400_000
"""14 bits code at most 16 383 pixels, twice as many pass, and each is 16 pixels with the finest upsampling."""
SHAPE = (12, 10)


def _movie(path: Path) -> None:
    """As the discoverer and a worker read it: container, header, pixels."""
    for settings in (SETTINGS, EACH_FRAME):
        with suppress(ContainerError):
            check_container(path)
        file_header(path)
        header = read_header(path, settings)
        movie = read_movie(path, settings, threads=1)
        assert movie.frames.shape == (header.frames, header.height, header.width)
        if path.suffix != ".eer":
            break


@decoder(InputError, seeds=tiffs, made=made_tiff, suffix=".tif", bytes_per_byte=TIFF_BYTES_PER_BYTE)
def tiff_movie(path: Path) -> None:
    """A TIFF movie."""
    _movie(path)


@decoder(InputError, seeds=mrcs, made=made_mrc, suffix=".mrc")
def mrc_movie(path: Path) -> None:
    """An MRC movie."""
    _movie(path)


@decoder(InputError, seeds=eers, made=made_eer, suffix=".eer", bytes_per_byte=EER_BYTES_PER_BYTE)
def eer_movie(path: Path) -> None:
    """An EER movie, with its default fractions and with each raw frame at the finest upsampling."""
    _movie(path)


def _reference(path: Path) -> None:
    for is_eer in (False, True):
        try:
            read_gain(ImportSettings(gain_path=str(path)), None, is_eer)
        except InputError:
            read_defects(ImportSettings(defects_path=str(path)), SHAPE)
    read_defects(ImportSettings(defects_path=str(path)), SHAPE)


@decoder(InputError, seeds=gains, made=made_tiff, suffix=".tif", bytes_per_byte=TIFF_BYTES_PER_BYTE)
def tiff_reference(path: Path) -> None:
    """A gain, or a map of defects, as TIFF."""
    _reference(path)


@decoder(InputError, seeds=gains, suffix=".gain", bytes_per_byte=TIFF_BYTES_PER_BYTE)
def eer_gain(path: Path) -> None:
    """A gain of EERs."""
    read_gain(ImportSettings(gain_path=str(path)), None, movie_is_eer=True)


@decoder(InputError, seeds=mrc_images, made=made_mrc, suffix=".mrc")
def mrc_reference(path: Path) -> None:
    """A gain, or a map of defects, as MRC."""
    _reference(path)


@decoder(InputError, seeds=dms, suffix=".dm4")
def dm_reference(path: Path) -> None:
    """A gain, or a map of defects, of Digital Micrograph."""
    _reference(path)


DEFECT_TEXTS = (
    b"1 2 3 4\n# a comment\n 0 0 10 1\n",
    b"CameraSizeX 10\nCameraSizeY 12\nRotationAndFlip 0\nWasScaled 0\nK2Type 1\nUsableArea 1 0 11 9\n"
    b"BadColumns 3 5\nPartialBadColumn 4 2 1 5\nBadRows 2,3\nPartialBadRow 3 1 0 4\nBadPixels 4 5 9 9\n",
)
DEFECT_WORDS = (
    b"CameraSizeX ",
    b"CameraSizeY ",
    b"WasScaled 2\n",
    b"UsableArea 0 0 0 0\n",
    b"BadPixels ",
    b"BadColumns ",
    b"BadRows ",
    b"PartialBadRow ",
    b"\xef\xbb\xbf",
    b"1e5",
    b" 0 0 1 1\n",
)


@decoder(InputError, seeds=lambda: DEFECT_TEXTS, words=DEFECT_WORDS, suffix=".txt")
def defect_text(path: Path) -> None:
    """Rows of boxes, or SerialEM's list: when it is set, and for a movie."""
    check_defects(path)
    read_defects(ImportSettings(defects_path=str(path)), SHAPE)


@decoder(InputError, seeds=mrc_images, made=made_mrc, suffix=".mrc")
def templates(path: Path) -> None:
    """The check of a stack of templates, when it is set."""
    check_templates(PickingSettings(templates_path=str(path)))
