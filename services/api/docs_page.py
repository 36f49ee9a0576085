"""The OpenAPI document as a page to read, without scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, tostring

from warpcore.services.api.checking import schema_in_words
from warpcore.services.api.errors import STATUS_MEANINGS

STYLE_PATH = "/api/docs/style.css"
MOST_WORDS = 20
"""Longer vocabularies are cut short."""

Inside = str | Element


def page(document: Mapping[str, Any]) -> str:
    """The document as HTML."""
    info, paths, schemas = document["info"], document["paths"], document["components"]["schemas"]
    groups: dict[str, list[Element]] = {}
    for path, methods in paths.items():
        for method, told in methods.items():
            groups.setdefault(told["tags"][0], []).append(_operation(method, path, told, schemas))
    head = _tag(
        "head",
        _tag("meta", charset="utf-8"),
        _tag("meta", name="viewport", content="width=device-width"),
        _tag("title", f"{info['title']} {info['version']}: REST"),
        _tag("link", rel="stylesheet", href=STYLE_PATH),
    )
    links = [_tag("li", _tag("a", name, href=f"#{name}")) for name in ("errors", *groups, "types")]
    openapi = _tag("a", "/api/openapi.json", href="/api/openapi.json")
    main = _tag(
        "main",
        _tag("h1", f"{info['title']} {info['version']}: REST"),
        _tag("p", *_inline(info["description"])),
        _tag("p", "For programs: ", openapi, " (OpenAPI 3.1)."),
        _tag("section", _tag("h2", "errors"), *_errors(), id="errors"),
        *(_tag("section", _tag("h2", name), *shown, id=name) for name, shown in groups.items()),
        _tag("section", _tag("h2", "types"), *(_schema(name, schemas) for name in schemas), id="types"),
    )
    body = _tag("body", _tag("nav", _tag("ul", *links), **{"aria-label": "Groups"}), main)
    return "<!doctype html>\n" + tostring(_tag("html", head, body, lang="en"), encoding="unicode", method="html")


def _operation(method: str, path: str, told: Mapping[str, Any], schemas: Mapping[str, Any]) -> Element:
    parts = [_tag("h3", _tag("b", method.upper()), " ", _tag("code", path)), _tag("p", *_inline(told["summary"]))]
    if "description" in told:
        parts.append(_tag("p", *_inline(told["description"])))
    parameters = [
        ([_tag("code", one["name"]), f" ({one['in']})"], _type(one["schema"], schemas), _described(one["schema"], one))
        for one in told["parameters"]
    ]
    parts += _table(("parameter", "value", "meaning"), parameters)
    if "requestBody" in told:
        (content,) = told["requestBody"]["content"].values()
        optional = "" if told["requestBody"]["required"] else ", may be left out"
        parts.append(_tag("p", "Body", optional, ": ", *_type(content["schema"], schemas), "."))
    parts += _table(("status", "answer", "meaning"), _responses(told["responses"], schemas))
    return _tag("article", *parts, id=told["operationId"])


def _errors() -> list[Element]:
    problem = _tag("a", "problem document", href="#type-ProblemDocument")
    rows = ((str(status), _inline(text)) for status, text in STATUS_MEANINGS.items())
    return [_tag("p", "Every error is a ", problem, " (RFC 9457)."), *_table(("status", "means"), rows)]


def _responses(responses: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The answer, and the errors that mean more here than everywhere."""
    for status, one in responses.items():
        if one["description"] == STATUS_MEANINGS.get(int(status)):
            continue
        shown: list[Inside] = []
        for media_type, content in one.get("content", {}).items():
            shown += [" or "] if shown else []
            shown += _type(content["schema"], schemas) if "schema" in content else [media_type]
        headers = [f" {name}: {header['description']}" for name, header in one.get("headers", {}).items()]
        yield status, shown, [*_inline(one["description"]), *headers]


def _schema(name: str, schemas: Mapping[str, Any]) -> Element:
    schema = schemas[name]
    fields = schema.get("properties", {}).items()
    rows = [(_tag("code", field), _type(one, schemas), _described(one, one)) for field, one in fields]
    about = _tag("p", *_inline(schema.get("description", "")))
    return _tag("article", _tag("h3", name), about, *_table(("field", "value", "meaning"), rows), id=f"type-{name}")


def _described(schema: Mapping[str, Any], told: Mapping[str, Any]) -> list[Inside]:
    """Meaning, unit and default."""
    parts = [told.get("description", "")]
    if schema.get("unit"):
        parts.append(f"Unit: {schema['unit']}")
    if schema.get("default") not in (None, "", [], {}):
        parts.append(f"Default: `{json.dumps(schema['default'], ensure_ascii=False)}`")
    return _inline(" ".join(f"{part.rstrip('.')}." for part in parts if part))


def _type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[Inside]:
    """What a value may be; a type with fields of its own is a link."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        words = name if "properties" in schemas[name] else schema_in_words(schema, schemas)
        return [_tag("a", words, href=f"#type-{name}")]
    if "anyOf" in schema:
        first, *others = (_type(one, schemas) for one in schema["anyOf"])
        return [*first, *(part for one in others for part in (" or ", *one))]
    if schema.get("type") == "array" and schema.get("items"):
        return ["a list, each ", *_type(schema["items"], schemas)]
    if len(schema.get("enum", ())) > MOST_WORDS:
        return [f"one of {', '.join(schema['enum'][:3])} … ({len(schema['enum'])} in the OpenAPI document)"]
    return [schema_in_words(schema, schemas)]


def _table(heading: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[Element]:
    """A table, none without rows. A cell is a text, an element, or a list of both."""
    body = [_tag("tr", *(_tag("td", *_cell(cell)) for cell in row)) for row in rows]
    head = _tag("thead", _tag("tr", *(_tag("th", text, scope="col") for text in heading)))
    return [_tag("table", head, _tag("tbody", *body))] if body else []


def _cell(cell: Any) -> list[Inside]:
    return cell if isinstance(cell, list) else [cell]


def _inline(text: str) -> list[Inside]:
    """Text in which backticks mark code."""
    parts = re.split(r"`([^`]+)`", text)
    return [_tag("code", part) if number % 2 else part for number, part in enumerate(parts)]


def _tag(name: str, /, *inside: Inside, **attributes: str) -> Element:
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
