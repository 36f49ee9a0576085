"""What the documents say of names and links is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from warpcore.bus.messages import EVENT_BODIES

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")])


def test_every_event_stands_in_the_document_of_the_wire() -> None:
    text = (ROOT / "docs/wire.md").read_text()
    for topic in EVENT_BODIES:
        family, _, name = topic.partition(".")
        assert re.search(rf"^\| `{family}\.[^|]*\.?{name}`", text, re.M), topic


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target
