"""What the documents say of names and links is so."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from warpcore.bus import limits
from warpcore.bus.messages import EVENT_BODIES
from warpcore.cli.main import app
from warpcore.services.api.client import SchedulerClient
from warpcore.services.api.errors import RETRY_AFTER_S
from warpcore.services.api.live.log import MOST_BYTES, MOST_EVENTS
from warpcore.services.api.live.readers import PING_S
from warpcore.services.api.pictures import renderings
from warpcore.services.api.pictures.queries import MOST_PIXELS
from warpcore.services.scheduler.core import line_log
from warpcore.services.scheduler.core.hand_picks import MOST_FORMER
from warpcore.services.scheduler.core.views import FRAME_BUDGET_BYTES
from warpcore.services.session.settings import LARGEST_BYTES

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")])


def test_every_event_stands_in_the_document_of_the_wire() -> None:
    text = (ROOT / "docs/wire.md").read_text()
    for topic in EVENT_BODIES:
        family, _, name = topic.partition(".")
        assert re.search(rf"^\| `{family}\.[^|]*\.?{name}`", text, re.M), topic


def test_the_document_of_rest_gives_the_limits_that_hold() -> None:
    text = (ROOT / "docs/rest.md").read_text()
    limit = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text.partition("## Limits")[2].partition("\n## ")[0], re.M))
    patience = inspect.signature(SchedulerClient).parameters
    log_kib = line_log.MOST_BYTES // 1024
    assert limit["log lines of a worker"] == f"the last {limits.LOG_LINES} are kept, at most {log_kib} KiB"
    assert limit["all settings together"] == f"{LARGEST_BYTES // 1024} KiB as JSON"
    files = limit["files and failures of an export job"]
    assert re.findall(r"\d+", files) == [str(FRAME_BUDGET_BYTES * 3 // 4), str(FRAME_BUDGET_BYTES // 4)]
    pictures = re.findall(r"\d+", limit["pictures at once"])
    assert pictures == [str(renderings.AT_ONCE), str(renderings.MOST_WAITING), "503", str(renderings.MOST_BYTES)]
    assert f"At most {MOST_PIXELS} pixels" in text
    picks = limit["picks added, or removed, by hand"]
    assert re.findall(r"\d+", picks) == [str(limits.MOST_HAND_PICKS), str(MOST_FORMER)]
    assert limit["`priority`"] == f"-{limits.HIGHEST_PRIORITY} to {limits.HIGHEST_PRIORITY}"
    answer = limit["answer of the scheduler"]
    assert f"{patience['timeout_s'].default} s, twice" in answer
    assert patience["attempts"].default == 2
    assert f"`Retry-After: {RETRY_AFTER_S}`" in answer


def test_the_document_of_rest_says_how_far_a_reader_of_events_may_be_behind() -> None:
    text = " ".join((ROOT / "docs/rest.md").read_text().split())
    assert f"more than {MOST_EVENTS} events or {MOST_BYTES // 2**20} MiB behind" in text
    assert f"A comment each {PING_S:g} s" in text


@pytest.mark.parametrize("document", ["docs/reliability.md", "docs/pool.md"])
def test_the_tests_that_a_document_names_exist(document: str) -> None:
    named = re.findall(r"`([\w/]+\.py|…)::(test_\w+)`", (ROOT / document).read_text())
    assert named
    file = ""
    for where, test in named:
        file = file if where == "…" else where
        path = ROOT / file if file.startswith("tests/") else ROOT / "tests/services" / file
        assert f"def {test}(" in path.read_text(), f"{file}::{test}"


def test_each_attack_in_the_document_of_security_names_tests_that_exist() -> None:
    table = (ROOT / "docs/security.md").read_text().partition("## Attacks tried")[2].partition("\n## ")[0]
    cells = [line.rsplit("|", 2)[1].strip() for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(cells) > 50
    for cell in cells:
        named = re.findall(r"`(tests/[\w/]+)(?:(\.py)::(test_\w+))?`", cell)
        left = re.sub(r"`[^`]*`|[, ]", "", cell)
        assert cell.startswith("by hand: ") or (named and not left and len(named) == cell.count("`") // 2), cell
        for path, ending, test in named:
            assert test or (ROOT / path).is_dir(), path
            assert not test or f"def {test}(" in (ROOT / f"{path}{ending}").read_text(), f"{path}{ending}::{test}"


def test_each_guard_of_a_pool_is_tried() -> None:
    text = (ROOT / "docs/pool.md").read_text().partition("## Guards")[2].partition("## A simulated day")[0]
    said, tried = (re.findall(r"^\| (?!guard|---)([^|]+) \|", part, re.M) for part in text.split("### What tries them"))
    assert said == tried


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_row_of_a_table_stands_below_a_head(document: Path) -> None:
    """A line without a bar ends a table: rows behind it are shown as text."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    for table in re.findall(r"(?:^\|.*\n?)+", text, flags=re.M):
        assert re.match(r".*\n\|(?: ?:?-+:? ?\|)+$", table, flags=re.M), table[:200]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_lines_of_prose_fit_120_columns(document: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    long = [line for line in prose.splitlines() if len(line) > 120 and not line.startswith(("|", "!["))]
    assert not long


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
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert told in done.stderr


def test_the_index_of_the_site_leads_to_every_document() -> None:
    index = ROOT / "docs/index.md"
    listed = set(re.findall(r"^(?!:)([\w./]+)$", index.read_text(), re.M))
    assert {(index.parent / f"{name}.md").resolve() for name in listed - {"reference"}} == {*DOCUMENTS} - {index}


COMMANDS = get_command(app)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_documents_exist_with_their_options(document: Path) -> None:
    text = document.read_text().replace("\\\n", " ")
    for line in re.findall(r"(?:^|`|\$ |/)warpcore ((?!\.)[^`\n#]+)", text, re.M):
        command, path = COMMANDS, []
        for word in line.split():
            if word in getattr(command, "commands", {}):
                command, path = command.commands[word], [*path, word]  # type: ignore[attr-defined]
        assert path or not re.match(r"[a-z]", line), f"no such command: warpcore {line}"
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", line)) <= known, f"no such option: warpcore {line}"


def test_the_document_of_the_command_line_names_every_command_and_variable() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    for name, command in COMMANDS.commands.items():  # type: ignore[attr-defined]
        assert re.search(rf"^\| .*`{name}\b", text, re.M), name
        for option in command.params:
            assert option.envvar is None or f"`{option.envvar}`" in text
