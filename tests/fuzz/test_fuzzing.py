"""Every reader has a decoder under test, and the fuzzer finds what it is to find."""

from __future__ import annotations

import importlib
import inspect
import mmap
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

import pytest

from tests.fuzz import decoders_metadata, decoders_movies, decoders_session, planted, with_atheris
from tests.fuzz.decoder import CORPUS, DECODERS, MIB
from tests.fuzz.decoders import MODULES
from tests.fuzz.fuzzing import ROOT, Engine, Tally, fuzz, try_again
from tests.fuzz.mutating import LONGEST_INPUT, Form, damaged
from tests.fuzz.resting import Rest
from tests.fuzz.touched import forget_peak, peak_bytes
from warpcore.services import formats, readers

OF_OTHERS_OUTPUT = {
    "contents_of": "check_container with None for its errors",
    "movie_of": "looks at names, and at containers by contents_of",
    "movies_beside": "looks at names, and at containers by contents_of",
    "fault_as_gain": "read_reference_image with a word for its result",
    "content_hash": "reads no format",
}
"""Functions that take a file and are not called by a decoder under test, and why."""


def readers_of_files() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Public functions of readers and formats that are given a file, bytes or a text to read."""
    for package in (readers, formats):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for name, one in inspect.getmembers(importlib.import_module(found.name), inspect.isfunction):
                inputs = [str(each.annotation) for each in inspect.signature(one).parameters.values()][:1]
                gives = one.__annotations__.get("return") != "None" or name.startswith(("read", "parse", "check"))
                is_public = not name.startswith(("_", "write")) and one.__module__ == found.name
                if is_public and gives and inputs and inputs[0] in ("Path", "bytes"):
                    yield name, one


def test_every_reader_of_files_is_fuzzed(tmp_path: Path) -> None:
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        called.add(frame.f_code)

    chosen = {module.__name__ for module in (decoders_metadata, decoders_movies, decoders_session)}
    for decoder in (one for one in DECODERS.values() if one.read.__module__ in chosen):
        for number, data in enumerate(decoder.seeds()):
            path = tmp_path / f"{decoder.name}{number}{decoder.suffix}"
            path.write_bytes(data)
            sys.setprofile(note)
            try:
                decoder.read(path if decoder.suffix else data)
            except decoder.refusals:
                pass
            finally:
                sys.setprofile(None)
    found = list(readers_of_files())
    assert len(found) > 20
    missing = {name for name, one in found if inspect.unwrap(one).__code__ not in called} - OF_OTHERS_OUTPUT.keys()
    assert not missing, "give each a decoder in tests/fuzz/decoders_*.py (CONTRIBUTING.md), or say why it needs none"


def test_each_module_of_decoders_is_in_the_table_and_each_kept_input_is_of_a_decoder() -> None:
    modules = {path.stem for path in Path(__file__).parent.glob("decoders_*.py")}
    assert modules == {module.__name__.rpartition(".")[2] for module in MODULES}
    assert {path.name for path in CORPUS.iterdir()} <= DECODERS.keys()
    assert all(path.stat().st_size <= LONGEST_INPUT for path in CORPUS.glob("*/*"))


@pytest.fixture(scope="module")
def tallies() -> dict[str, Tally]:
    return fuzz([one for one in DECODERS.values() if one.read.__module__ == planted.__name__], seed=1)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("raises", "KeyError at planted.py:"),
        ("takes_memory", "memory: "),
        ("takes_memory_of_c", "memory: "),
        ("takes_long", "hangs: ended after 4 s of CPU time"),
        ("sleeps", "asleep: more than 1 s"),
        ("sleeps_without_end", "asleep: ended after 4 s"),
        ("crashes", "crash: the process ended by SIGSEGV"),
        ("says_much", "text: an error of "),
    ],
)
def test_what_is_at_fault_is_found_with_its_input_and_the_others_go_on(
    tallies: dict[str, Tally], name: str, fault: str
) -> None:
    (found,) = tallies[name].faults
    assert found.startswith(fault)
    assert tallies[name].faults[found] == b"fault"
    assert tallies["fine"].calls > DECODERS["fine"].calls
    assert not tallies["fine"].faults


def test_memory_is_held_to_what_the_length_of_the_input_allows(tallies: dict[str, Tally]) -> None:
    assert not tallies["takes_what_its_length_allows"].faults
    assert tallies["takes_what_its_length_allows"].peak_bytes >= 90 * planted.LENGTH
    (data,) = tallies["takes_too_much_for_its_length"].faults.values()
    assert 150 * len(data) > DECODERS["takes_too_much_for_its_length"].bound_bytes(len(data))


def test_what_the_look_at_memory_takes_is_not_held_against_a_decoder(tallies: dict[str, Tally]) -> None:
    assert not tallies["takes_long_while_memory_is_looked_at"].faults


def test_of_damaged_inputs_at_fault_the_one_with_the_least_damage_is_told(tallies: dict[str, Tally]) -> None:
    (data,) = tallies["raises_when_damaged"].faults.values()
    assert sum(byte != ord("0") for byte in data) == 1


@pytest.mark.skipif(not with_atheris.is_installed(), reason="the extra `fuzz` is not installed")
def test_atheris_finds_inputs_at_fault_goes_on_after_a_crash_and_ends_in_time() -> None:
    chosen = [DECODERS["raises_when_damaged"], DECODERS["crashes"]]
    tallies = fuzz(chosen, seed=1, seconds=2.0, engine=Engine.ATHERIS)
    assert [fault.partition(":")[0] for fault in tallies["raises_when_damaged"].faults] == ["KeyError at planted.py"]
    assert tallies["raises_when_damaged"].calls > 10
    assert tallies["crashes"].faults == {"crash: the process ended by SIGSEGV": b"fault"}


def test_an_input_at_fault_is_tried_again_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"fault")
    tally = try_again(DECODERS["raises"], [path])
    assert tally.calls == 1
    assert [fault.partition(":")[0] for fault in tally.faults] == ["KeyError at planted.py"]


@pytest.mark.parametrize(
    ("seen", "asleep_s"),
    [
        ([(0.0, {1: 5.0}), (1.0, {1: 6.0}), (3.0, {1: 8.0})], 0.0),  # it ran, or waited for a CPU
        ([(0.0, {1: 5.0}), (1.0, {1: 5.0}), (3.0, {1: 5.5})], 2.5),
        ([(0.0, {1: 5.0, 2: 0.0}), (2.0, {1: 5.0, 2: 2.0})], 0.0),  # it waited for a thread that ran
        ([(0.0, {1: 5.0}), (2.0, {1: 5.0, 2: 1.5}), (3.0, {1: 5.0})], 1.5),  # a thread began and ended
        ([(0.0, {1: 5.0, 2: 0.0}), (1.0, {1: 6.0, 2: 1.0}), (2.0, {1: 6.0, 2: 1.0})], 1.0),
    ],
)
def test_a_process_sleeps_while_no_thread_of_it_runs_or_is_ready_to(
    seen: list[tuple[float, dict[int, float]]], asleep_s: float
) -> None:
    rest = Rest()
    assert [rest.look("input", now_s, busy_s) for now_s, busy_s in seen][-1] == pytest.approx(asleep_s)
    assert rest.look("next input", seen[-1][0] + 9.0, seen[-1][1]) == 0.0


def test_the_memory_of_a_call_is_counted_whatever_was_taken_before() -> None:
    def touch(mib: int) -> int:
        before_bytes = forget_peak()
        with mmap.mmap(-1, mib * MIB) as taken:
            taken.write(b"1" * MIB * mib)
        return peak_bytes() - before_bytes

    assert touch(48) > 40 * MIB
    assert 8 * MIB < touch(16) < 40 * MIB


def test_the_document_of_security_gives_the_bounds_of_memory() -> None:
    rows = re.findall(
        r"^\| (all others|`.+`) \| (\d+) MiB \| ([\d ]+) \|", (ROOT / "docs/security.md").read_text(), re.M
    )
    told = {
        name.strip(" `"): (int(mib) * MIB, int(factor.replace(" ", "")))
        for names, mib, factor in rows
        for name in names.split(",")
    }
    others = told.pop("all others")
    assert told.keys() < DECODERS.keys()
    for decoder in (one for one in DECODERS.values() if one.read.__module__ != planted.__name__):
        stated = (decoder.fixed_bytes, decoder.bytes_per_byte)
        assert stated == told.get(decoder.name, others), decoder.name


def test_equal_seeds_give_equal_inputs_and_others_do_not() -> None:
    def made(seed: str) -> list[bytes]:
        random = Random(seed)
        return [damaged([b'{"a": [1, 2]}'], (), Form.JSON, random) for _ in range(50)]

    assert made("a") == made("a")
    assert made("a") != made("b")
    assert len(set(made("a"))) > 40
