"""What microscopes write of each movie: EPU's XML, SerialEM's mdoc, EER headers, and JSON by a user's template."""

from __future__ import annotations

from warpcore.services.readers.metadata.eer import read_eer_metadata
from warpcore.services.readers.metadata.names import (
    METADATA_ENDINGS,
    Place,
    chosen_metadata,
    metadata_candidates,
    place_of_name,
)
from warpcore.services.readers.metadata.reading import read_metadata, with_place
from warpcore.services.readers.metadata.template import Template, parsed_template
from warpcore.services.readers.metadata.values import MOST_METADATA_BYTES, MetadataError

__all__ = [
    "METADATA_ENDINGS",
    "MOST_METADATA_BYTES",
    "MetadataError",
    "Place",
    "Template",
    "chosen_metadata",
    "metadata_candidates",
    "parsed_template",
    "place_of_name",
    "read_eer_metadata",
    "read_metadata",
    "with_place",
]
