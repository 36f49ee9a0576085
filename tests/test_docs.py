"""What the documents say of names and links is so."""

from __future__ import annotations

import re
import subprocess
import sys
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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a](nowhere.md)", "nowhere.md"),
        ("[a](index.md#no-such-heading)", "no-such-heading"),
        ("```{eval-rst}\n.. automodule:: warpcore.kernels.nothing\n```", "warpcore.kernels.nothing"),
    ],
)
def test_the_site_is_not_built_with_a_broken_link_or_reference(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text(f"# Title\n\n{text}\n")
    build = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    command = [*build, "--conf-dir", str(ROOT / "docs"), str(tmp_path), str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert told in done.stderr


def test_the_index_of_the_site_leads_to_every_document() -> None:
    index = ROOT / "docs/index.md"
    listed = set(re.findall(r"^(?!:)([\w./]+)$", index.read_text(), re.M))
    assert {(index.parent / f"{name}.md").resolve() for name in listed - {"reference"}} == {*DOCUMENTS} - {index}
