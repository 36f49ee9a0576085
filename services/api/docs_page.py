"""The OpenAPI document as a page to read, without scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from warpcore.services.api.checking import schema_in_words
from warpcore.services.api.errors import STATUS_MEANINGS
from warpcore.services.api.markup import Inside, document_text, inline, table, tag

STYLE_PATH = "/api/docs/style.css"
MOST_WORDS = 20
"""Longer vocabularies are cut short."""


def page(document: Mapping[str, Any]) -> str:
    """The document as HTML."""
    info, paths, schemas = document["info"], document["paths"], document["components"]["schemas"]
    groups: dict[str, list[Element]] = {}
    for path, methods in paths.items():
        for method, told in methods.items():
            groups.setdefault(told["tags"][0], []).append(_operation(method, path, told, schemas))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width"),
        tag("title", f"{info['title']} {info['version']}: REST"),
        tag("link", rel="stylesheet", href=STYLE_PATH),
    )
    links = [tag("li", tag("a", name, href=f"#{name}")) for name in ("errors", *groups, "types")]
    openapi = tag("a", "/api/openapi.json", href="/api/openapi.json")
    main = tag(
        "main",
        tag("h1", f"{info['title']} {info['version']}: REST"),
        tag("p", *inline(info["description"])),
        tag("p", "For programs: ", openapi, " (OpenAPI 3.1)."),
        tag("section", tag("h2", "errors"), *_errors(), id="errors"),
        *(tag("section", tag("h2", name), *shown, id=name) for name, shown in groups.items()),
        tag("section", tag("h2", "types"), *(_schema(name, schemas) for name in schemas), id="types"),
    )
    body = tag("body", tag("nav", tag("ul", *links), **{"aria-label": "Groups"}), main)
    return document_text(head, body)


def _operation(method: str, path: str, told: Mapping[str, Any], schemas: Mapping[str, Any]) -> Element:
    parts = [tag("h3", tag("b", method.upper()), " ", tag("code", path)), tag("p", *inline(told["summary"]))]
    if "description" in told:
        parts.append(tag("p", *inline(told["description"])))
    role = told.get("x-role")
    parts.append(tag("p", "Role: ", tag("code", role), ".") if role else tag("p", "Needs no token."))
    parameters = [
        ([tag("code", one["name"]), f" ({one['in']})"], _type(one["schema"], schemas), _described(one["schema"], one))
        for one in told["parameters"]
    ]
    parts += table(("parameter", "value", "meaning"), parameters)
    if "requestBody" in told:
        (content,) = told["requestBody"]["content"].values()
        optional = "" if told["requestBody"]["required"] else ", may be left out"
        parts.append(tag("p", "Body", optional, ": ", *_type(content["schema"], schemas), "."))
    parts += table(("status", "answer", "meaning"), _responses(told["responses"], schemas))
    return tag("article", *parts, id=told["operationId"])


def _errors() -> list[Element]:
    problem = tag("a", "problem document", href="#type-ProblemDocument")
    rows = ((str(status), inline(text)) for status, text in STATUS_MEANINGS.items())
    return [tag("p", "Every error is a ", problem, " (RFC 9457)."), *table(("status", "means"), rows)]


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
        yield status, shown, [*inline(one["description"]), *headers]


def _schema(name: str, schemas: Mapping[str, Any]) -> Element:
    schema = schemas[name]
    fields = schema.get("properties", {}).items()
    rows = [(tag("code", field), _type(one, schemas), _described(one, one)) for field, one in fields]
    about = tag("p", *inline(schema.get("description", "")))
    return tag("article", tag("h3", name), about, *table(("field", "value", "meaning"), rows), id=f"type-{name}")


def _described(schema: Mapping[str, Any], told: Mapping[str, Any]) -> list[Inside]:
    """Meaning, unit and default."""
    parts = [told.get("description", "")]
    if schema.get("unit"):
        parts.append(f"Unit: {schema['unit']}")
    if schema.get("default") not in (None, "", [], {}):
        parts.append(f"Default: `{json.dumps(schema['default'], ensure_ascii=False)}`")
    return inline(" ".join(f"{part.rstrip('.')}." for part in parts if part))


def _type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[Inside]:
    """What a value may be; a type with fields of its own is a link."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        words = name if "properties" in schemas[name] else schema_in_words(schema, schemas)
        return [tag("a", words, href=f"#type-{name}")]
    if "anyOf" in schema:
        first, *others = (_type(one, schemas) for one in schema["anyOf"])
        return [*first, *(part for one in others for part in (" or ", *one))]
    if schema.get("type") == "array" and schema.get("items"):
        return ["a list, each ", *_type(schema["items"], schemas)]
    if len(schema.get("enum", ())) > MOST_WORDS:
        return [f"one of {', '.join(schema['enum'][:3])} … ({len(schema['enum'])} in the OpenAPI document)"]
    return [schema_in_words(schema, schemas)]
