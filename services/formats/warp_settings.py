"""Warp's `.settings` read: what it has in common with our settings, and a line for everything that it has not.

Names, defaults and meanings are those of Warp's own source (WarpLib, OptionsWarp.cs; read 2026).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warpcore.services.formats.warp_xml import number
from warpcore.services.readers.xml_text import XmlError, parsed_xml
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import Settings, parse_settings

Texts = dict[str, str]
"""Values by `Section.Name`; the section is "" for what stands directly below `Settings`."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A parameter of Warp's and a setting of ours that mean the same; `default` is Warp's, where it writes none."""

    warp: str
    ours: str
    default: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]


def _flag(text: str) -> bool:
    return text.strip().lower() in ("true", "1")


def _integer(text: str) -> int:
    return int(float(text))


def _truth(warp: str, ours: str, default: str) -> _Pair:
    return _Pair(warp, ours, default, _flag, str)


def _real(warp: str, ours: str, default: str) -> _Pair:
    return _Pair(warp, ours, default, float, number)


def _whole(warp: str, ours: str, default: str) -> _Pair:
    return _Pair(warp, ours, default, _integer, lambda value: str(round(value)))


PAIRS = (
    _truth(".ProcessCTF", "ctf.enabled", "True"),
    _truth(".ProcessMovement", "motion.enabled", "True"),
    _truth(".ProcessPicking", "picking.enabled", "False"),
    _truth("Import.DoRecursiveSearch", "import.recursive", "False"),
    _real("Import.PixelSize", "import.pixel_size", "1.35"),
    _real("Import.BinTimes", "import.binning", "0"),
    _truth("Import.GainFlipX", "import.gain_flip_x", "False"),
    _truth("Import.GainFlipY", "import.gain_flip_y", "False"),
    _truth("Import.GainTranspose", "import.gain_transpose", "False"),
    _whole("CTF.Window", "ctf.window", "512"),
    _real("CTF.RangeMin", "ctf.range_min", "30"),
    _real("CTF.RangeMax", "ctf.range_max", "4"),
    _whole("CTF.Voltage", "ctf.voltage", "300"),
    _real("CTF.Cs", "ctf.cs", "2.7"),
    _real("CTF.Amplitude", "ctf.amplitude_contrast", "0.07"),
    _truth("CTF.DoPhase", "ctf.fit_phase", "True"),
    _truth("CTF.UseMovieSum", "ctf.use_sum", "False"),
    _real("CTF.ZMin", "ctf.defocus_min", "0"),
    _real("CTF.ZMax", "ctf.defocus_max", "5"),
    _real("Movement.RangeMin", "motion.range_min", "500"),
    _real("Movement.RangeMax", "motion.range_max", "8"),
    _real("Movement.Bfactor", "motion.b_factor", "-500"),
    _real("Picking.Diameter", "picking.diameter", "200"),
    _truth("Picking.DoExport", "export.particles", "False"),
    _truth("Picking.Invert", "export.invert", "True"),
    _truth("Picking.Normalize", "export.normalize", "True"),
    _truth("Export.DoAverage", "export.average", "True"),
    _truth("Export.DoStack", "export.stack", "False"),
    _truth("Export.DoDeconvolve", "export.deconvolution", "False"),
    _real("Export.DeconvolutionStrength", "export.deconvolution_strength", "1"),
    _real("Export.DeconvolutionFalloff", "export.deconvolution_falloff", "1"),
    _whole("Export.SkipFirstN", "import.skip_first", "0"),
    _whole("Export.SkipLastN", "import.skip_last", "0"),
    _real("Filter.AstigmatismMax", "filter.astigmatism_max", "3"),
    _real("Filter.DefocusMin", "filter.defocus_min", "0"),
    _real("Filter.DefocusMax", "filter.defocus_max", "5"),
    _real("Filter.ResolutionMax", "filter.resolution_max", "5"),
    _real("Filter.MotionMax", "filter.motion_max", "5"),
    _whole("Filter.ParticlesMin", "filter.particles_min", "1"),
    _real("Filter.MaskPercentage", "filter.junk_max", "10"),
)

_TAKEN_TOGETHER = {
    "Import.Extension", "Import.GainPath", "Import.CorrectGain", "Import.DefectsPath", "Import.CorrectDefects",
    "Import.DosePerAngstromFrame", "Import.EERGroupFrames", "Grids.CTFX", "Grids.CTFY", "Grids.MovementX",
    "Grids.MovementY", "Grids.MovementZ", "Picking.DataStyle", "Picking.BoxSize", "Picking.DoResample",
    "Picking.BoxSizeResample", "Filter.PhaseMin", "Filter.PhaseMax",
}  # fmt: skip
OURS_TOGETHER = {
    "import.patterns", "import.gain_path", "import.defects_path", "import.dose_per_frame", "import.eer_groups",
    "import.eer_frames_per_group", "import.eer_dose_per_group", "ctf.grid", "motion.grid", "picking.contrast",
    "export.box_size", "export.particle_pixel_size", "filter.limits", "import.data",
}  # fmt: skip
_WITHOUT = {
    "Import.DataFolder": "give it with --data",
    "Import.ProcessingFolder": "give it with --processing",
    "CTF.MinQuality": "resolution is always where the fit's quality falls below 0.3",
    "Picking.ModelPath": "a BoxNet model; warpcore picks with networks of its own (picking.weights_path)",
    "Picking.MinimumScore": "scores of BoxNet are no probabilities; see picking.threshold",
    "Grids.CTFZ": "the CTF does not change over a movie",
}
"""Why, and what to do, by parameter; others are simply not known here."""
_AS_HERE = {("Grids.CTFZ", "1"), ("Grids.CTFZ", "0"), ("Export.StackGroupSize", "1"), ("Export.DoDenoise", "False")}
"""Values that ask for what is always done here."""
_WHOLE_SECTIONS = {"Tomo": "tilt series are not processed", "Tasks": "these are options of single tasks of Warp's"}


def read_warp_settings(path: Path) -> tuple[Settings, list[str]]:
    """Settings from a `.settings` of Warp's, and one line for each of its parameters that has no counterpart.

    A parameter that the file does not have counts with Warp's default. Raises InputError, SettingsError and OSError.
    """
    try:
        root = parsed_xml(path.read_bytes())
    except XmlError as error:
        raise InputError(f"{path}: {error}") from None
    if root.tag != "Settings":
        raise InputError(f"{path}: no settings of Warp's, its root is {root.tag!r}")
    texts = {f".{name}": text for name, text in _params(root)}
    texts |= {
        f"{section.tag}.{name}": text for section in root if section.tag != "Param" for name, text in _params(section)
    }
    notes: list[str] = []
    raw: dict[str, dict[str, Any]] = {}

    def put(name: str, value: Any) -> None:
        section, _, key = name.partition(".")
        raw.setdefault(section, {})[key] = value

    try:
        for pair in PAIRS:
            put(pair.ours, pair.read(texts.get(pair.warp, pair.default)))
        _read_ranges(texts, raw)
        _read_import(texts, put, notes)
        _read_grids(texts, put)
        _read_boxes(texts, raw, put)
    except (ValueError, ArithmeticError) as error:  # also infinite numbers, and a box or range of 0
        raise InputError(f"{path}: damaged ({error})") from None
    notes += _told_without(texts)
    return parse_settings(raw), notes


def _params(element: ET.Element) -> list[tuple[str, str]]:
    return [(one.get("Name", ""), one.get("Value", "")) for one in element.iterfind("Param")]


def _read_ranges(texts: Texts, raw: dict[str, dict[str, Any]]) -> None:
    """Ranges of up to 1 are fractions of Nyquist, as older versions of Warp wrote them (OptionsWarp.cs, Load)."""
    imported = raw["import"]
    nyquist = 2 * imported["pixel_size"] * 2 ** imported["binning"]
    for section in ("ctf", "motion"):
        if raw[section]["range_min"] <= 1:
            for name in ("range_min", "range_max"):
                raw[section][name] = nyquist / raw[section][name]


def _read_import(texts: Texts, put: Callable[[str, Any], None], notes: list[str]) -> None:
    extension = texts.get("Import.Extension", "*.mrc")
    put("import.patterns", [extension])
    for name, correct in (("gain", "CorrectGain"), ("defects", "CorrectDefects")):
        path = texts.get(f"Import.{name.capitalize()}Path", "")
        put(f"import.{name}_path", path if path and _flag(texts.get(f"Import.{correct}", "False")) else None)
    groups = _integer(texts.get("Import.EERGroupFrames", "10"))
    is_eer = extension.lower().endswith(".eer")
    if is_eer and groups < 0:
        put("import.eer_groups", -groups)
    elif is_eer and groups > 0:
        put("import.eer_frames_per_group", groups)
    dose = float(texts.get("Import.DosePerAngstromFrame", "0"))
    if dose > 0:
        put("import.dose_per_frame", dose)
    elif dose < 0 and is_eer and groups < 0:
        put("import.dose_per_frame", -dose / -groups)
    elif dose < 0:
        notes.append(
            f"Import.DosePerAngstromFrame = {dose:g}: the dose of the whole exposure; set import.dose_per_frame to "
            f"{-dose:g} over the number of frames, or leave it to the metadata"
        )


def _read_grids(texts: Texts, put: Callable[[str, Any], None]) -> None:
    """A grid of which a side is 0 is automatic (WarpTools, fs_motion_and_ctf)."""
    for ours, names, default in (
        ("ctf.grid", ("CTFX", "CTFY"), "5"),
        ("motion.grid", ("MovementX", "MovementY", "MovementZ"), "5"),
    ):
        grid = [_integer(texts.get(f"Grids.{name}", "20" if name.endswith("Z") else default)) for name in names]
        put(ours, grid if min(grid) > 0 else None)


def _read_boxes(texts: Texts, raw: dict[str, dict[str, Any]], put: Callable[[str, Any], None]) -> None:
    """Boxes are of binned pixels, and resampled where that is asked for; `cryo` is dark on bright."""
    box, resampled = (_integer(texts.get(f"Picking.{name}", "128")) for name in ("BoxSize", "BoxSizeResample"))
    put("export.box_size", box)
    if _flag(texts.get("Picking.DoResample", "False")):
        pixel = raw["import"]["pixel_size"] * 2 ** raw["import"]["binning"]
        put("export.box_size", resampled)
        put("export.particle_pixel_size", pixel * box / resampled)
    put("picking.contrast", "dark" if texts.get("Picking.DataStyle", "cryo") == "cryo" else "bright")
    low, high = (
        float(texts.get(f"Filter.{name}", default)) for name, default in (("PhaseMin", "0"), ("PhaseMax", "1"))
    )
    if (low, high) != (0, 1):
        put("filter.limits", {"ctf.phase_shift_pi": [low, high]})


def _told_without(texts: Texts) -> list[str]:
    known = {pair.warp for pair in PAIRS} | _TAKEN_TOGETHER
    told = [
        f"{name.lstrip('.')} = {text}: has no counterpart{'; ' + _WITHOUT[name] if name in _WITHOUT else ''}"
        for name, text in texts.items()
        if name not in known and (name, text) not in _AS_HERE and name.partition(".")[0] not in _WHOLE_SECTIONS and text
    ]
    sections = {name.partition(".")[0] for name in texts}
    return told + [f"{name}: has no counterpart; {why}" for name, why in _WHOLE_SECTIONS.items() if name in sections]
