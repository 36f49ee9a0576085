"""HTML and SVG as elements of the standard library: what is text stays text, whatever characters are in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element, tostring

Inside = str | Element


def document_text(head: Element, body: Element) -> str:
    """A whole document in English."""
    return "<!doctype html>\n" + tostring(tag("html", head, body, lang="en"), encoding="unicode", method="html")


def tag(name: str, /, *inside: Inside, **attributes: str) -> Element:
    """An element with texts and elements in it."""
    element, last = Element(name, attributes), None
    for one in inside:
        if isinstance(one, Element):
            element.append(one)
            last = one
        elif last is None:
            element.text = (element.text or "") + one
        else:
            last.tail = (last.tail or "") + one
    return element


def table(heading: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[Element]:
    """A table, none without rows. A cell is a text, an element, or a list of both."""
    body = [tag("tr", *(tag("td", *_cell(cell)) for cell in row)) for row in rows]
    head = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in heading)))
    return [tag("table", head, tag("tbody", *body))] if body else []


def inline(text: str) -> list[Inside]:
    """Text in which backticks mark code."""
    parts = re.split(r"`([^`]+)`", text)
    return [tag("code", part) if number % 2 else part for number, part in enumerate(parts)]


def _cell(cell: Any) -> list[Inside]:
    return cell if isinstance(cell, list) else [cell]
