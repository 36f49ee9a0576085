"""XML that other programs wrote, read so that no file can harm: no entities, no DTD, a bounded size."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from warpcore.services.session.errors import InputError

MOST_XML_BYTES = 8 * 2**20
"""EPU's largest, with a line for each of thousands of frames, have less than 1 MiB; Warp's with fine grids 3 MiB."""


class XmlError(InputError):
    """A file that is no whole XML, or one that is not read for safety; the text says which, without the file's name."""


def parsed_xml(data: bytes) -> Element:
    """The root of an XML document. Raises XmlError for anything that is not a whole, harmless one."""
    if len(data) > MOST_XML_BYTES:
        raise XmlError(f"XML of {len(data):,} bytes; at most {MOST_XML_BYTES:,} are read")
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except ParseError as error:
        raise XmlError(f"damaged XML ({error}); copy it again") from None
    except DefusedXmlException as error:
        raise XmlError(f"XML with {type(error).__name__}: a document type or entity is not read") from None
    except (LookupError, ValueError) as error:  # an encoding that is not known, or that the bytes do not have
        raise XmlError(f"XML whose encoding cannot be read ({error}); copy it again") from None
    return root


def local_name(element: Element) -> str:
    """Its tag without the namespace, which differs between versions of a program."""
    return element.tag.rpartition("}")[2]


def found(element: Element | None, *path: str) -> Element | None:
    """The first descendant along a path of local names; None where there is none."""
    for name in path:
        if element is None:
            return None
        element = next((child for child in element if local_name(child) == name), None)
    return element


def text_of(element: Element | None, *path: str) -> str | None:
    """The text at a path of local names, without space around it; None where there is none."""
    at = found(element, *path)
    return None if at is None or at.text is None else at.text.strip() or None
