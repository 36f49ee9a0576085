"""A paragraph for the methods of a paper: what was done, with versions, settings and how many movies."""

from __future__ import annotations

from statistics import median
from typing import Any

from warpcore.services.records.processed import Processed, most_common
from warpcore.services.steps.step import INPUT


def methods_text(session: Processed, version: str) -> str:
    """One paragraph in plain English. What is not known of a session is not said."""
    sentences = [
        _movies(session, version),
        _exposure(session),
        _motion(session),
        _ctf(session),
        _picking(session),
        _export(session),
        _kept(session),
    ]
    return " ".join(sentence for sentence in sentences if sentence) + "\n"


def _movies(session: Processed, version: str) -> str:
    settings = session.settings
    gain = "multiplied by the gain reference and " if settings.import_.gain_path else ""
    return f"{len(session.movies)} movies were {gain}processed with warpcore {version}."


_EXPOSURE = ("voltage_kv", "cs_mm", "raw_pixel_size_angstrom", "frames", "frames_in_file")


def _exposure(session: Processed) -> str:
    told = {name: _input(session, name) for name in _EXPOSURE}
    dose = _input(session, "dose_per_frame")
    parts = []
    if told["voltage_kv"] is not None:
        voltage = f"{'an assumed ' if session.is_assumed('ctf.voltage') else ''}{told['voltage_kv']:g} kV"
        aberration = f"{'assumed ' if session.is_assumed('ctf.cs') else ''}spherical aberration {told['cs_mm']:g} mm"
        parts.append(f"recorded at {voltage} ({aberration})")
    if told["raw_pixel_size_angstrom"] is not None:
        parts.append(f"with {told['raw_pixel_size_angstrom']:.4g} Å per pixel")
    if dose and told["frames"]:
        frames, used = told["frames_in_file"] or told["frames"], told["frames"]
        left_out = f", of which {used} entered the average" if used < frames else ""
        parts.append(f"in {frames} frames of {dose:.3g} e⁻/Å² each ({dose * frames:.3g} e⁻/Å² in all){left_out}")
    return f"They were {', '.join(parts)}." if parts else ""


def _motion(session: Processed) -> str:
    settings = session.settings
    if not settings.motion.enabled:
        return "Frames were summed without motion correction."
    if not session.values("motion.mean_frame_movement_angstrom", session.movies):
        return ""
    motion = settings.motion
    text = f"Beam-induced motion was fitted between {motion.range_min:g} and {motion.range_max:g} Å"
    binned = (
        f", and frames were Fourier-cropped {2**settings.import_.binning:g} times" if settings.import_.binning else ""
    )
    weighted = " and weighted by exposure (Grant and Grigorieff, 2015)" if settings.export.dose_weighting else ""
    return f"{text}{binned}; frames were aligned{weighted} and summed."


def _ctf(session: Processed) -> str:
    ctf = session.settings.ctf
    if not ctf.enabled:
        return ""
    phase = "phase shift, " if ctf.fit_phase else ""
    text = (
        f"The contrast transfer function ({phase}amplitude contrast {ctf.amplitude_contrast:g}) was fitted between "
        f"{ctf.range_min:g} and {ctf.range_max:g} Å with spectra of {ctf.window} pixels"
    )
    defocus = session.values("ctf.defocus_um")
    found = f"; defocus was {min(defocus):.2f} to {max(defocus):.2f} µm" if defocus else ""
    return f"{text}{found}."


def _picking(session: Processed) -> str:
    picking = session.settings.picking
    counts = session.values("picking.count")
    if not picking.is_on or not counts:
        return ""
    methods = most_common([(one.results.get("picking") or {}).get("method") for one in session.good])
    diameter = f" of {picking.diameter:g} Å" if picking.diameter is not None else ""
    return f"{sum(counts)} particles{diameter} were picked ({methods}, threshold {picking.threshold:g})."


def _export(session: Processed) -> str:
    export = session.settings.export
    counts = session.values("export.particle_count")
    if not export.particles or not counts:
        return ""
    pixel = export.particle_pixel_size or _input(session, "pixel_size_angstrom")
    box = f" in boxes of {export.box_size} pixels" if export.box_size is not None else ""
    return f"{sum(counts)} particles were extracted{box} at {pixel:.4g} Å per pixel."


def _kept(session: Processed) -> str:
    good, resolution = session.good, session.values("ctf.resolution_angstrom")
    if len(good) == len(session.movies) and not resolution:
        return ""
    median_text = f", with CTF fits to {median(resolution):.2g} Å (median)" if resolution else ""
    return f"{len(good)} of the movies passed the limits of the filter{median_text}."


def _input(session: Processed, name: str) -> Any:
    return most_common([(one.results.get(INPUT) or {}).get(name) for one in session.good or session.movies])
