"""What warpcore needs is listed with its licence, and nothing that runs with it forbids what ours allows."""

from __future__ import annotations

import importlib.metadata as metadata
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LISTED = (ROOT / "docs" / "licences.md").read_text()
PAGE = ROOT / "services" / "api" / "page"
PERMISSIVE = re.compile(
    r"BSD|MIT|Apache|ISC|MPL|Mozilla Public|Python Software Foundation|PSF|Zlib|CC0|Unlicense|HPND", re.IGNORECASE
)


def direct() -> list[str]:
    """Names of all packages that pyproject.toml names."""
    texts = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    return sorted({Requirement(text).name for text in texts})


def installed_to_run() -> Iterator[metadata.Distribution]:
    """Every distribution that an installation without extras brings."""
    waiting, seen = [Requirement(text) for text in PROJECT["dependencies"]], set()
    while waiting:
        wanted = waiting.pop()
        if wanted.name.lower() in seen or (wanted.marker is not None and not wanted.marker.evaluate({"extra": ""})):
            continue
        seen.add(wanted.name.lower())
        found = metadata.distribution(wanted.name)
        yield found
        waiting += [Requirement(text) for text in found.requires or []]


def licence(found: metadata.Distribution) -> str:
    """What a distribution says of its licence, in any of the places where distributions say so."""
    stated = found.metadata
    classifiers = [text for text in stated.get_all("Classifier") or [] if text.startswith("License ::")]
    return " ".join([stated.get("License-Expression") or "", (stated.get("License") or "")[:200], *classifiers])


@pytest.mark.parametrize("name", direct())
def test_each_package_that_is_asked_for_is_listed(name: str) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", LISTED), f"add {name} to docs/licences.md"


def test_nothing_that_runs_with_warpcore_has_a_licence_of_another_kind() -> None:
    found = {one.metadata["Name"]: licence(one) for one in installed_to_run()}
    assert len(found) > 20
    assert not {name: text for name, text in found.items() if not PERMISSIVE.search(text) or "GPL" in text}


def npm_packages() -> dict[str, dict[str, object]]:
    """The packages that an installation of the page's sources brings, by name, as package-lock.json has them."""
    locked = json.loads((PAGE / "package-lock.json").read_text())["packages"]
    return {place.removeprefix("node_modules/"): one for place, one in locked.items() if place}


def test_the_packages_of_npm_that_the_page_is_made_of_are_listed_with_their_licences() -> None:
    used = {name: one for name, one in npm_packages().items() if not one.get("dev") and not one.get("optional")}
    section = LISTED.partition("## In the page")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| ((?!package )\S+) \| ([^|]+) \|", section, re.M)) == {
        name: one["license"] for name, one in used.items()
    }


def test_no_package_of_npm_has_a_licence_of_another_kind() -> None:
    found = {name: str(one.get("license")) for name, one in npm_packages().items()}
    assert len(found) > 50
    assert not {name: text for name, text in found.items() if not PERMISSIVE.search(text) or "GPL" in text}


def test_the_page_brings_the_licences_of_what_it_holds() -> None:
    built = [*(PAGE / "dist").glob("licences-*.txt")]
    if not built:
        pytest.skip("the page is not built")
    section = LISTED.partition("## In the page")[2].partition("\n## ")[0]
    held = re.findall(r"^\| (\S+) \| [^|]+ \| in the page", section, re.M)
    (text,) = (path.read_text() for path in built)
    assert sorted(re.findall(r"^(@?[\w/-]+) \d+\.\d+\.\d+$", text, re.M)) == sorted(held)
