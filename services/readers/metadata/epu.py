"""EPU's XML beside each exposure (`MicroscopeImage`), of versions 1.2 to 3.9 as seen in public sessions.

Lengths are metres there, voltages V, angles radian, doses electrons per m², defocus negative for underfocus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from warpcore.bus.messages.acquisition import Acquisition
from warpcore.services.readers.metadata.values import (
    MetadataError,
    count,
    flag,
    iso_time,
    number,
    per_area,
    positive,
    word,
)
from warpcore.services.readers.xml_text import XmlError, found, local_name, parsed_xml, text_of

ROOT = "MicroscopeImage"

_PER_M = 1e10
_UM_PER_M = 1e6
_PER_SQUARE_M = 1e-20
_DEGREES_PER_RADIAN = 57.29577951308232


def read_epu_xml(data: bytes, source: str) -> Acquisition | None:
    """What EPU says of an exposure; None where the XML is another program's. Raises MetadataError for damaged files.

    The pixel size belongs to an image of `ReadoutArea`, which counts binned pixels: with binning 2 of a camera of
    5760 px, 2880. Where `Dose` is missing it is `DoseOnCamera` (electrons per pixel of that image) over the pixel's
    area, which it equals where both are there.
    """
    try:
        root = parsed_xml(data)
    except XmlError as error:
        raise MetadataError(str(error)) from None
    if local_name(root) != ROOT:
        return None
    camera = found(root, "microscopeData", "acquisition", "camera")
    custom = _by_key(found(root, "CustomData"))
    pixel_size = positive(text_of(root, "SpatialScale", "pixelSize", "x", "numericValue"), _PER_M)
    return Acquisition(
        source=source,
        kind="epu",
        voltage_kv=positive(text_of(root, "microscopeData", "gun", "AccelerationVoltage"), 1e-3),
        pixel_size_angstrom=pixel_size,
        image_width_px=count(text_of(camera, "ReadoutArea", "width")),
        image_height_px=count(text_of(camera, "ReadoutArea", "height")),
        exposure_dose=_exposure_dose(custom, pixel_size),
        exposure_s=positive(text_of(camera, "ExposureTime")),
        frames=_frames(_by_key(found(camera, "CameraSpecificInput")).get("FractionationSettings")),
        defocus_applied_um=_underfocus_um(custom),
        phase_plate=flag(_text(custom, "PhasePlateUsed")),
        c2_aperture_um=positive(_text(custom, "Aperture[C2].Name")),
        objective_aperture_um=positive(_text(custom, "Aperture[OBJ].Name")),
        recorded_at=iso_time(text_of(root, "microscopeData", "acquisition", "acquisitionDateTime")),
        instrument=word(text_of(root, "microscopeData", "instrument", "InstrumentModel")),
        camera=word(_text(custom, "DetectorCommercialName") or text_of(camera, "Name")),
        **_optics(found(root, "microscopeData", "optics")),
        **_stage(found(root, "microscopeData", "stage", "Position")),
    )


def _optics(optics: Element | None) -> dict[str, Any]:
    filtered = flag(text_of(optics, "EnergyFilter", "EnergySelectionSlitInserted"))
    width = positive(text_of(optics, "EnergyFilter", "EnergySelectionSlitWidth"))
    return {
        "magnification": positive(text_of(optics, "TemMagnification", "NominalMagnification")),
        "beam_shift_x": number(text_of(optics, "BeamShift", "_x")),
        "beam_shift_y": number(text_of(optics, "BeamShift", "_y")),
        "beam_tilt_x": number(text_of(optics, "BeamTilt", "_x")),
        "beam_tilt_y": number(text_of(optics, "BeamTilt", "_y")),
        "slit_width_ev": width if filtered else None,
    }


def _stage(position: Element | None) -> dict[str, Any]:
    return {
        "stage_x_um": number(text_of(position, "X"), _UM_PER_M),
        "stage_y_um": number(text_of(position, "Y"), _UM_PER_M),
        "stage_z_um": number(text_of(position, "Z"), _UM_PER_M),
        "stage_alpha_degrees": number(text_of(position, "A"), _DEGREES_PER_RADIAN),
    }


def _exposure_dose(custom: Mapping[str, Element], pixel_size_angstrom: float | None) -> float | None:
    """Electrons per Å² of the whole exposure."""
    dose = positive(_text(custom, "Dose"), _PER_SQUARE_M)
    on_camera = positive(_text(custom, "DoseOnCamera"))
    return per_area(on_camera, pixel_size_angstrom) if dose is None else dose


def _underfocus_um(custom: Mapping[str, Element]) -> float | None:
    defocus = number(_text(custom, "AppliedDefocus"), -_UM_PER_M)
    return None if defocus is None else round(defocus, 6) + 0.0


def _frames(settings: Element | None) -> int | None:
    """Fractions of an exposure: their number, or one definition for each."""
    told = count(text_of(settings, "NumberOffractions"))
    fractions = found(settings, "DoseFractions")
    return told if told is not None or fractions is None else len(fractions) or None


def _by_key(pairs: Element | None) -> dict[str, Element]:
    """The values of a list of keys and values."""
    told: dict[str, Element] = {}
    for pair in pairs if pairs is not None else ():
        key, value = text_of(pair, "Key"), found(pair, "Value")
        if key is not None and value is not None:
            told[key] = value
    return told


def _text(values: Mapping[str, Element], key: str) -> str | None:
    return text_of(values.get(key))
