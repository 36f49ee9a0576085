"""What the documents say of names and links is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from warpcore.bus.messages import EVENT_BODIES
from warpcore.cli.generated_docs import stale, with_tables

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")])


def test_generated_tables_are_those_of_the_declarations() -> None:
    """Written anew by `python -m warpcore.cli.generated_docs docs`."""
    assert stale(ROOT / "docs") == []


def test_a_table_that_was_edited_or_whose_declaration_has_changed_is_stale(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("before\n<!-- generated: steps -->\n| old |\n<!-- end -->\nafter\n")
    assert stale(tmp_path) == [path]
    written = with_tables(path.read_text())
    assert written.startswith("before\n<!-- generated: steps -->\n| step | does |")
    assert written.endswith("|\n<!-- end -->\nafter\n")
    path.write_text(written)
    assert stale(tmp_path) == []


@pytest.mark.parametrize(
    ("document", "name"), [("settings", "settings"), ("outputs", "outputs"), ("outputs", "columns")]
)
def test_each_table_stands_in_its_document(document: str, name: str) -> None:
    assert f"<!-- generated: {name} -->" in (ROOT / "docs" / f"{document}.md").read_text()


def test_every_event_stands_in_the_document_of_the_wire() -> None:
    text = (ROOT / "docs/wire.md").read_text()
    for topic in EVENT_BODIES:
        family, _, name = topic.partition(".")
        assert re.search(rf"^\| `{family}\.[^|]*\.?{name}`", text, re.M), topic


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target
