"""What an EER file says of itself: items in XML in TIFF tag 65001 of its first frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from warpcore.bus.messages.acquisition import Acquisition
from warpcore.services.readers.metadata.values import MetadataError, count, iso_time, per_area, positive, word
from warpcore.services.readers.raw import damage_named
from warpcore.services.readers.tiff import open_tiff
from warpcore.services.readers.xml_text import XmlError, local_name, parsed_xml

SOURCE = "EER header"

_TAG = 65001
_ANGSTROM_PER = {"m": 1e10, "nm": 10.0, "": 1e10}


def read_eer_metadata(path: Path) -> Acquisition | None:
    """What the header of an EER says; None where it has no metadata. Raises InputError, OSError for damaged files."""
    with open_tiff(path) as (tiff, _), damage_named(path):
        pages: list[Any] = tiff.pages[:2]  # the first may be an integrated image
        told = [page.tags.valueof(_TAG) for page in pages]
    data = next((one for one in told if isinstance(one, bytes)), None)
    return None if data is None else parsed_eer_metadata(data)


def parsed_eer_metadata(data: bytes) -> Acquisition:
    """The items of tag 65001. Raises MetadataError where the XML is damaged.

    The dose is what the camera has counted per Å², somewhat less than what the specimen got.
    """
    try:
        root = parsed_xml(data.rstrip(b"\0"))
    except XmlError as error:
        raise MetadataError(str(error)) from None
    items = {item.get("name", ""): item for item in root.iter() if local_name(item) == "item"}
    text = {name: item.text for name, item in items.items()}
    sensor = items.get("sensorPixelSize.width")
    unit = "" if sensor is None else sensor.get("unit", "")
    pixel_size = positive(text.get("sensorPixelSize.width"), _ANGSTROM_PER.get(unit, 0.0))
    counted = positive(text.get("totalDose"))
    return Acquisition(
        source=SOURCE,
        kind="eer",
        pixel_size_angstrom=pixel_size,
        image_width_px=count(text.get("sensorImageWidth")),
        image_height_px=count(text.get("sensorImageHeight")),
        exposure_dose=per_area(counted, pixel_size),
        exposure_s=positive(text.get("exposureTime")),
        frames=count(text.get("numberOfFrames")),
        recorded_at=iso_time(text.get("timestamp")),
        camera=word(text.get("commercialName") or text.get("cameraName")),
    )
