"""Tables of the documents are generated from the code, and are as the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from warpcore.cli.generate_docs import BLOCKS, main
from warpcore.cli.generated_docs import Block, DocsError, replaced, stale, table

ROOT = Path(__file__).resolve().parents[2]


def test_no_generated_table_is_stale() -> None:
    assert list(stale(ROOT, BLOCKS)) == [], "run `make docs-tables`"


def test_a_stale_table_is_found_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for block in BLOCKS:
        (tmp_path / block.file).parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / block.file).read_text()
        (tmp_path / block.file).write_text(replaced(text, block.name, "old"))
    assert main(["--check", str(tmp_path)]) == 1
    assert "is stale" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    for block in BLOCKS:
        assert (tmp_path / block.file).read_text() == (ROOT / block.file).read_text()


def test_only_what_is_between_the_markers_is_replaced() -> None:
    text = "a\n<!-- generated: x -->\nold\nolder\n<!-- end: x -->\nb\n"
    assert replaced(text, "x", "new") == "a\n<!-- generated: x -->\nnew\n<!-- end: x -->\nb\n"
    with pytest.raises(DocsError, match="there is no block between <!-- generated: y -->"):
        replaced(text, "y", "new")


def test_two_blocks_of_one_file_are_both_written(tmp_path: Path) -> None:
    markers = "".join(f"<!-- generated: {name} -->\n<!-- end: {name} -->\n" for name in "xy")
    (tmp_path / "f.md").write_text(markers)
    (text,) = stale(tmp_path, [Block("f.md", name, lambda name=name: name.upper()) for name in "xy"]).values()
    assert "X\n" in text
    assert "Y\n" in text


def test_a_table_keeps_bars_in_its_cells() -> None:
    assert table(["a"], [["x|y"]]) == "| a |\n| --- |\n| x\\|y |"
