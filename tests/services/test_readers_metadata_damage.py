"""Files of metadata that are refused, or read although they are odd; tests/fuzz tries any bytes."""

from __future__ import annotations

import pytest

from tests.services.metadata_files import epu_xml
from warpcore.services.readers.metadata import (
    MOST_METADATA_BYTES,
    MetadataError,
    parsed_template,
    read_metadata,
)

TEMPLATE = parsed_template(b'{"voltage_kv": "a.b", "frames": "c.0", "hole": "d", "recorded_at": "e"}')


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(500),
        epu_xml()[:700],
        b'<?xml version="1.0" encoding="klingon"?><MicroscopeImage/>',
        b'<?xml version="1.0" encoding="utf-16"?><MicroscopeImage/>',
        b'<?xml version="1.0" encoding="shift_jis"?><MicroscopeImage>\x81</MicroscopeImage>',
        b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><MicroscopeImage>&c;</MicroscopeImage>',
        b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><MicroscopeImage/>',
        b"<MicroscopeImage>" + b" " * MOST_METADATA_BYTES + b"</MicroscopeImage>",
    ],
    ids=["empty", "zeros", "cut", "encoding", "no-utf-16", "multi-byte", "entities", "external", "large"],
)
def test_xml_that_is_refused(data: bytes) -> None:
    with pytest.raises(MetadataError):
        read_metadata(data, "a.xml", "a.mrc")


@pytest.mark.parametrize("data", [b"", bytes(500), b"Voltage = 300\n", b"[FrameSet"])
def test_mdoc_that_is_refused(data: bytes) -> None:
    with pytest.raises(MetadataError):
        read_metadata(data, "a.mdoc", "a.tif")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
def test_json_that_is_refused(data: bytes) -> None:
    with pytest.raises(MetadataError):
        read_metadata(data, "a.json", "a.tif", TEMPLATE)


def test_deep_xml_is_read_and_harms_nothing() -> None:
    deep = b"<MicroscopeImage>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</MicroscopeImage>"
    assert read_metadata(deep, "a.xml", "a.mrc") is not None
