"""OSC-EM's description of a single-particle session, by its schemas (osc-em/OSCEM_Schemas, December 2025).

What the session does not know is left out, also where the schema needs it: those fields are named, for a person.
Defocus is positive for underfocus, as in EMDB, which the schemas follow.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from warpcore.services.records.processed import Processed, most_common
from warpcore.services.steps.step import INPUT

Document = dict[str, Any]

_SI = {
    "kV": (1e3, "V"),
    "mm": (1e-3, "m"),
    "um": (1e-6, "m"),
    "eV": (1.602176634e-19, "J"),
    "Å": (1e-10, "m"),
    "1/Å^2": (1e20, "1/m^2"),
    "s": (1.0, "s"),
}
_NEEDED = (
    "acquisition.detectors",
    "acquisition.date_time",
    "acquisition.binning_camera",
    "acquisition.pixel_size",
    "instrument.microscope",
    "instrument.illumination",
    "instrument.imaging",
    "instrument.electron_source",
    "instrument.acceleration_voltage",
)
"""Fields that the schemas require (`required: true`)."""


def oscem_document(session: Processed) -> tuple[Document, list[str]]:
    """The document, and the required fields that the session does not know."""
    document = {
        "acquisition": _present(_acquisition(session)),
        "instrument": _present(_instrument(session)),
        "processing": _processing(session),
    }
    missing = [name for name in _NEEDED if name.split(".")[1] not in document[name.split(".")[0]]]
    return document, missing


def _acquisition(session: Processed) -> Document:
    applied = _acquired(session, "defocus_applied_um")
    times = _acquired(session, "recorded_at")
    camera, width = session.told("camera"), session.told("slit_width_ev")
    magnification = session.told("magnification")
    return {
        "technique": "spa",
        "detectors": None if camera is None else [{"name": camera}],
        "nominal_defocus": _range(applied, "um"),
        "calibrated_defocus": _range(session.values("ctf.defocus_um", session.movies), "um"),
        "nominal_magnification": None if magnification is None else round(magnification),
        "dose_per_movie": _quantity(session.told("exposure_dose"), "1/Å^2"),
        "energy_filter": None if width is None else {"used": True, "width_energy_filter": _quantity(width, "eV")},
        "image_size": _size(session),
        "date_time": None if not times else datetime.fromtimestamp(min(times), UTC).isoformat(),
        "exposure_time": _quantity(session.told("exposure_s"), "s"),
        "frames_per_movie": _input(session, "frames_in_file") or _input(session, "frames"),
        "images_generated": len(session.movies),
        "pixel_size": _quantity(_input(session, "raw_pixel_size_angstrom"), "Å"),
    }


def _instrument(session: Processed) -> Document:
    model = session.told("instrument")
    voltage = None if session.is_assumed("ctf.voltage") else _input(session, "voltage_kv")
    cs = None if session.is_assumed("ctf.cs") else _input(session, "cs_mm")
    return {
        "microscope": None if model is None else {"model": model},
        "acceleration_voltage": _quantity(voltage, "kV"),
        "c2_aperture": _quantity(session.told("c2_aperture_um"), "um"),
        "cs": _quantity(cs, "mm"),
    }


def _processing(session: Processed) -> Document:
    dose, ctf = _input(session, "dose_per_frame"), session.settings.ctf
    frames = _input(session, "frames")
    made: Document = {"micrographs": {"number_micrographs": len(session.good)}}
    if dose is not None and frames is not None:
        made["movies"] = {"dose_per_image": {"value": dose * frames, "unit": "e/Å²"}}
        if session.settings.import_.gain_path:
            made["movies"]["gain_image"] = session.settings.import_.gain_path
    defocus, resolution = session.values("ctf.defocus_um"), session.values("ctf.resolution_angstrom")
    if defocus:
        made["ctfs"] = {"amplitude_contrast": ctf.amplitude_contrast, "defocus": _spread(defocus, "defocus", "um")}
        if resolution:
            made["ctfs"]["resolution"] = _spread(resolution, "resolution", "Å")
    counts = session.values("picking.count")
    if counts:
        made["coordinates"] = {
            "number_particles": sum(counts),
            "num_source_micrographs": len(counts),
            "particles_per_micrograph": round(sum(counts) / len(counts), 2),
        }
    return made


def _spread(values: list[float], name: str, unit: str) -> Document:
    mean = sum(values) / len(values)
    found = {"min": min(values), "max": max(values), "avg": mean}
    return {f"output_{word}_{name}": {"value": round(value, 4), "unit": unit} for word, value in found.items()}


def _range(values: list[float], unit: str) -> Document | None:
    if not values:
        return None
    return {"minimal": _quantity(round(min(values), 4), unit), "maximal": _quantity(round(max(values), 4), unit)}


def _quantity(value: float | None, unit: str) -> Document | None:
    """A value with its unit, and both in SI."""
    if value is None:
        return None
    factor, si = _SI[unit]
    return {"value": value, "unit": unit, "valueSI": value * factor, "unitSI": si}


def _size(session: Processed) -> Document | None:
    width, height = _input(session, "raw_width"), _input(session, "raw_height")
    return None if width is None or height is None else {"height": height, "width": width}


def _acquired(session: Processed, name: str) -> list[float]:
    found = ((one.acquisition or {}).get(name) for one in session.movies)
    return [float(value) for value in found if value is not None]


def _input(session: Processed, name: str) -> Any:
    return most_common([(one.results.get(INPUT) or {}).get(name) for one in session.movies])


def _present(document: Document) -> Document:
    return {name: value for name, value in document.items() if value is not None}
