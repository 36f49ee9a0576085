"""A movie's metadata from the bytes of its file, whatever program wrote it."""

from __future__ import annotations

from msgspec.structs import replace

from warpcore.bus.messages.acquisition import Acquisition
from warpcore.services.readers.metadata.epu import read_epu_xml
from warpcore.services.readers.metadata.mdoc import read_mdoc
from warpcore.services.readers.metadata.names import place_of_name
from warpcore.services.readers.metadata.template import Template, read_json
from warpcore.services.readers.metadata.values import MOST_METADATA_BYTES, MetadataError


def read_metadata(data: bytes, source: str, movie: str, template: Template | None = None) -> Acquisition | None:
    """What a file of metadata says of a movie; both paths are relative to the data directory.

    None where the file is whole, but not a movie's metadata: another program's XML, JSON without a template. Raises
    MetadataError alone, whatever the bytes are.
    """
    if len(data) > MOST_METADATA_BYTES:
        raise MetadataError(f"metadata of {len(data):,} bytes; at most {MOST_METADATA_BYTES:,} are read")
    ending = source.rpartition(".")[2].lower()
    if ending == "xml":
        told = read_epu_xml(data, source)
    elif ending == "mdoc":
        told = read_mdoc(data, source, movie)
    elif ending == "json" and template is not None:
        told = read_json(data, source, template)
    else:
        return None
    return None if told is None else with_place(told, movie)


def with_place(told: Acquisition, movie: str) -> Acquisition:
    """With what the movie's own path says of its place, where the metadata do not say it."""
    place = place_of_name(movie)._asdict()
    return replace(told, **{name: value for name, value in place.items() if value and getattr(told, name) is None})
