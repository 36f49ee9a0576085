"""SerialEM's `.mdoc` beside a movie: keys and values in sections, one `FrameSet` for each movie.

It is an INI file, which the standard library reads. The package `mdocfile` refuses the whole file where one value is
odd or a title has an `=`, and brings pandas.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from warpcore.bus.messages.acquisition import Acquisition
from warpcore.services.readers.metadata.names import multishot_of
from warpcore.services.readers.metadata.values import (
    MetadataError,
    base_name,
    clock_time,
    count,
    flag,
    number,
    numbers,
    positive,
    word,
)

Section = Mapping[str, str]

_KINDS = ("FrameSet", "ZValue")
_SECTION = re.compile(r"\[\s*(\w+)\s*=(.*)\]")
_KEY = re.compile(r"\w+\s*=")
_INSTRUMENT = re.compile(r"SerialEM:\s*(?:(?:Acquired|Digitized) on\s+)?(?P<name>.*?)(?:\s{2,}.*)?")


def read_mdoc(data: bytes, source: str, movie: str) -> Acquisition | None:
    """What SerialEM says of a movie; None where the mdoc has sections, but none of frames or images.

    Of several sections, as in one file for all movies, that of the movie's name counts. The pixel size is that of the
    frames as they are saved: with `Binning = 0.5`, super-resolution pixels. Of an EER, whose physical pixel counts, it
    is divided by the binning. `Defocus` is what the lens shows, from a zero that nobody knows: the target counts.
    Raises MetadataError where the file is damaged or has no section of this movie.
    """
    told = _told_of(_sections(data), movie)
    if told is None:
        return None
    shift, stage = _pair(told.get("ImageShift")), _pair(told.get("StagePosition"))
    slit = numbers(told.get("FilterSlitAndLoss"))
    label = word(told.get("NavigatorLabel"))
    group = told.get("MultishotHoleAndPosition") or told.get("OpticalGroup") or ""
    shot = multishot_of(group)
    target = number(told.get("TargetDefocus"), -1.0)
    return Acquisition(
        source=source,
        kind="serialem",
        voltage_kv=positive(told.get("Voltage")),
        cs_mm=positive(told.get("Cs")),
        pixel_size_angstrom=_pixel_size_angstrom(told, movie),
        exposure_dose=_exposure_dose(told),
        exposure_s=positive(told.get("ExposureTime")),
        frames=_frames(told),
        magnification=positive(told.get("Magnification")),
        beam_shift_x=shift[0],
        beam_shift_y=shift[1],
        slit_width_ev=slit[0] or None if slit else None,
        defocus_applied_um=target,
        phase_plate=flag(told.get("PhasePlateInserted")),
        stage_x_um=stage[0],
        stage_y_um=stage[1],
        stage_z_um=number(told.get("StageZ")),
        stage_alpha_degrees=number(told.get("TiltAngle")),
        square=label.rpartition("-")[0] or label if label else None,
        hole=word("/".join(one for one in (label, shot.hole) if one)),
        area=shot.area or word(group),
        shot=shot.shot,
        recorded_at=clock_time(told.get("DateTime")),
        gain_reference=base_name(told.get("GainReference")),
        instrument=_instrument(told.get("T")),
    )


def _sections(data: bytes) -> list[tuple[str, Section]]:
    """All sections in order by their kind, first, without a kind, the keys before any. Odd lines are left out."""
    kept = ["[0]"]
    for place, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        section = _SECTION.fullmatch(line.strip())
        if section is not None:
            kept.append(f"[{place} {section[1]}]")  # sections of one kind stay apart
        elif _KEY.match(line.strip()):
            kept.append(line.strip())
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",), strict=False)
    parser.optionxform = str  # type: ignore[assignment]
    try:
        parser.read_string("\n".join(kept))
    except configparser.Error as error:
        raise MetadataError(f"damaged mdoc ({str(error).splitlines()[0]}); copy it again") from None
    return [(name.partition(" ")[2], dict(parser.items(name))) for name in parser.sections()]


def _told_of(sections: list[tuple[str, Section]], movie: str) -> Section | None:
    """The keys of a movie's section, over those that stand before all sections."""
    (_, titles), *others = sections
    if not others:
        raise MetadataError("an mdoc without a section; copy it again")
    for kind in _KINDS:
        mine = [section for one, section in others if one == kind]
        if len(mine) == 1:
            return {**titles, **mine[0]}
        if mine:
            stem = PurePosixPath(movie).stem
            named = [one for one in mine if PurePosixPath(base_name(one.get("SubFramePath")) or "").stem == stem]
            if len(named) != 1:
                raise MetadataError(f"{len(named)} of its {len(mine)} {kind} sections are of {movie}")
            return {**titles, **named[0]}
    return None


def _pixel_size_angstrom(told: Section, movie: str) -> float | None:
    spacing = positive(told.get("PixelSpacing"))
    binning = positive(told.get("Binning"))
    if spacing is None or not movie.lower().endswith(".eer"):
        return spacing
    return None if binning is None else spacing / binning


def _exposure_dose(told: Section) -> float | None:
    """Electrons per Å²: `ExposureDose`, else the sum over frames, where each is not 0: 0 stands for not known."""
    exposure = positive(told.get("ExposureDose"))
    frames = numbers(told.get("FrameDosesAndNumber"))
    total = sum((dose or 0.0) * (number_ or 0.0) for dose, number_ in zip(frames[::2], frames[1::2], strict=False))
    return exposure if exposure is not None else total if total > 0 else None


def _frames(told: Section) -> int | None:
    doses = numbers(told.get("FrameDosesAndNumber"))
    return count(told.get("NumSubFrames")) or count(str(sum(one or 0.0 for one in doses[1::2])))


def _pair(text: str | None) -> tuple[float | None, float | None]:
    found = numbers(text)
    return (found[0], found[1]) if len(found) == 2 else (None, None)


def _instrument(title: str | None) -> str | None:
    match = _INSTRUMENT.fullmatch(title) if title else None
    return word(match["name"]) if match is not None else None
