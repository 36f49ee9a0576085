"""Warp's `.settings` in and out: what both have in common goes both ways, and the rest is told line by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from warpcore.services.formats.warp_settings import read_warp_settings
from warpcore.services.formats.warp_settings_writing import warp_settings
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import Settings, SettingsError, differences, parse_settings

NAMES = {
    "": "ProcessCTF ProcessMovement ProcessPicking",
    "Import": "DataFolder ProcessingFolder DoRecursiveSearch Extension HeaderlessWidth HeaderlessHeight HeaderlessType "
    "HeaderlessOffset PixelSize BinTimes GainPath DefectsPath GainFlipX GainFlipY GainTranspose CorrectGain "
    "CorrectDefects DosePerAngstromFrame EERGroupFrames",
    "CTF": "Window RangeMin RangeMax MinQuality Voltage Cs Cc Amplitude IllAperture DeltaE Thickness DoPhase "
    "UseMovieSum ZMin ZMax",
    "Movement": "RangeMin RangeMax Bfactor",
    "Grids": "CTFX CTFY CTFZ MovementX MovementY MovementZ",
    "Picking": "ModelPath DataStyle Diameter MinimumScore MinimumMaskDistance DoExport BoxSize DoResample "
    "BoxSizeResample BoxMiniSize Invert Normalize DoRunningWindow RunningWindowLength",
    "Export": "DoAverage DoStack DoDeconvolve DoDenoise DeconvolutionStrength DeconvolutionFalloff StackGroupSize "
    "SkipFirstN SkipLastN",
    "Filter": "AstigmatismMax DefocusMin DefocusMax PhaseMin PhaseMax ResolutionMax MotionMax ParticlesSuffix "
    "ParticlesMin MaskPercentage",
}
"""What Warp serializes (OptionsWarp.cs, WarpSerializable), without the tasks and tilt series."""


def written(folder: Path, **sections: dict[str, Any]) -> Path:
    """A `.settings` as Warp writes it; `_` stands for what lies directly below its root."""
    root = ElementTree.Element("Settings")
    for section, values in sections.items():
        parent = root if section == "_" else ElementTree.SubElement(root, section)
        for name, value in values.items():
            ElementTree.SubElement(parent, "Param", {"Name": name, "Value": str(value)})
    path = folder / "a.settings"
    path.write_bytes(ElementTree.tostring(root))
    return path


def test_what_both_have_comes_back_from_warps_file_as_it_was(tmp_path: Path) -> None:
    settings = parse_settings(
        {
            "import": {
                "patterns": ["*.eer"], "recursive": True, "pixel_size": 0.73, "binning": 1.0,
                "gain_path": "/g/gain.mrc",
                "gain_flip_y": True, "defects_path": "/g/defects.txt", "dose_per_frame": 0.9, "eer_groups": 32,
                "skip_first": 1,
            },
            "motion": {"range_max": 7.5, "grid": [4, 3, 20], "b_factor": -300},
            "ctf": {
                "voltage": 200, "cs": 1.4, "amplitude_contrast": 0.1, "grid": [6, 4], "fit_phase": True, "window": 768,
                "defocus_max": 3.5,
            },
            "picking": {"diameter": 140, "contrast": "bright"},
            "export": {"particles": True, "box_size": 128, "particle_pixel_size": 2.92, "deconvolution": True},
            "filter": {"resolution_max": 4.5, "junk_max": 20, "limits": {"ctf.phase_shift_pi": [0.1, 0.9]}},
        }
    )  # fmt: skip
    text, notes = warp_settings(settings, "/data", "/processing")
    (tmp_path / "a.settings").write_text(text)
    back, told = read_warp_settings(tmp_path / "a.settings")
    assert differences(settings, back) == {}
    assert notes == []
    assert [line.partition(" = ")[0] for line in told] == ["Import.DataFolder", "Import.ProcessingFolder"]


def test_a_parameter_that_is_missing_counts_with_warps_default(tmp_path: Path) -> None:
    settings, notes = read_warp_settings(written(tmp_path))
    assert notes == []
    assert (settings.import_.pixel_size, settings.import_.patterns) == (1.35, ["*.mrc"])
    assert (settings.motion.range_max, settings.motion.grid) == (8, [5, 5, 20])
    assert (settings.ctf.fit_phase, settings.ctf.defocus_min, settings.ctf.grid) == (True, 0, [5, 5])
    assert settings.picking.enabled is False
    assert settings.import_.dose_per_frame is None  # 0 is not known


def test_what_has_no_counterpart_is_told_in_one_line_each(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        _={"ProcessCTF": True, "NewInAYear": 5},
        Import={"DataFolder": "../raw", "DosePerAngstromFrame": -40},
        CTF={"Cc": 2.7, "MinQuality": 0.8},
        Picking={"ModelPath": "", "MinimumScore": 0.95},
        Tomo={"DimensionsX": 3712, "DimensionsY": 3712},
    )
    _, notes = read_warp_settings(path)
    starts = ("Import.DosePerAngstromFrame = -40", "NewInAYear = 5", "Import.DataFolder = ../raw", "CTF.Cc = 2.7")
    starts += ("CTF.MinQuality = 0.8", "Picking.MinimumScore = 0.95", "Tomo: ")
    assert len(notes) == len(starts)
    assert all(note.startswith(start) for note, start in zip(notes, starts, strict=True))


def test_every_parameter_of_warps_is_either_taken_or_told(tmp_path: Path) -> None:
    """Two values of each: where both give the same settings, one that is not what is always done here is told."""
    defaults = _defaults()
    for section, names in NAMES.items():
        for name in names.split():
            key = section or "_"
            outcomes = [
                read_warp_settings(written(tmp_path, **_with(defaults, key, name, value))) for value in _two(name)
            ]
            (one, told), (other, told_too) = outcomes
            full = f"{section}.{name}".lstrip(".")
            is_told = any(full in line for line in (*told, *told_too))
            assert is_told or differences(one, other), full


def _defaults() -> dict[str, dict[str, Any]]:
    """Others that a value depends on: a gain is read where it is to be corrected for, groups of an EER alone …"""
    imported = {"Extension": "*.eer", "GainPath": "g", "CorrectGain": True, "DefectsPath": "d", "CorrectDefects": True}
    return {"Import": imported, "Picking": {"DoResample": True}}


def _with(defaults: dict[str, dict[str, Any]], section: str, name: str, value: Any) -> dict[str, dict[str, Any]]:
    return {**defaults, section: {**defaults.get(section, {}), name: value}}


def _two(name: str) -> tuple[Any, Any]:
    if name == "Extension":
        return "*.tif", "*.eer"
    if name == "DataStyle":
        return "cryo", "neg"
    if name.endswith(("Path", "Folder", "Type", "Suffix")):
        return "a", "b"
    if name.startswith(
        (
            "DoR",
            "DoP",
            "DoE",
            "DoA",
            "DoS",
            "DoD",
            "Process",
            "Correct",
            "GainFlip",
            "GainTr",
            "UseMovie",
            "Invert",
            "Normalize",
        )
    ):
        return True, False
    if name == "Bfactor":
        return -100, -200
    if name in ("PhaseMin", "PhaseMax", "Amplitude", "BinTimes", "Cs", "ZMin", "DefocusMin"):
        return 0.5, 0.6
    if name in ("Window", "Voltage"):
        return 256, 1024
    if name in ("RangeMin", "BoxSize", "BoxSizeResample"):
        return 64, 96
    return 2, 3


def test_ranges_of_older_versions_are_fractions_of_nyquist(tmp_path: Path) -> None:
    path = written(tmp_path, Import={"PixelSize": 1, "BinTimes": 1}, CTF={"RangeMin": 0.1, "RangeMax": 0.8})
    settings, _ = read_warp_settings(path)
    assert (settings.ctf.range_min, settings.ctf.range_max) == (40, 5)


def test_what_warp_cannot_hold_is_told(tmp_path: Path) -> None:
    settings = parse_settings({"picking": {"method": "network", "diameter": 100}, "filter": {"motion_max": None}})
    _, notes = warp_settings(settings, "/data", "/processing")
    told = " | ".join(notes)
    for words in ("picking.method = network", "filter.motion_max is null", "import.pixel_size is null", "*.tiff"):
        assert words in told


@pytest.mark.parametrize("text", ["no XML", "<Movie/>", '<Settings><CTF><Param Name="Cs" Value="x"/></CTF></Settings>'])
def test_a_file_that_is_no_settings_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.settings").write_text(text)
    with pytest.raises(InputError, match=r"a\.settings"):
        read_warp_settings(tmp_path / "a.settings")


def test_a_value_that_cannot_be_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ctf\.voltage"):
        read_warp_settings(written(tmp_path, CTF={"Voltage": 0}))


def test_the_defaults_are_written_and_read_without_a_change(tmp_path: Path) -> None:
    text, _ = warp_settings(Settings(), "", "")
    (tmp_path / "a.settings").write_text(text)
    back, _ = read_warp_settings(tmp_path / "a.settings")
    changed = differences(Settings(), back)
    # null in ours is a number in Warp's.
    assert set(changed) == {
        "import.pixel_size", "import.patterns", "ctf.voltage", "ctf.cs", "picking.diameter", "export.box_size",
    }  # fmt: skip
