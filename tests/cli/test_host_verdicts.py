"""What `warpcore check` says of a host: facts in, lines out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from warpcore.bus.endpoints import Endpoints
from warpcore.cli.host.facts import (
    ClockFacts,
    FolderFacts,
    GpuFacts,
    HostFacts,
    LimitFacts,
    PortFacts,
    SchedulerFacts,
    SoftwareFacts,
)
from warpcore.cli.host.verdict import GIB, Judgement, Verdict
from warpcore.cli.host.verdicts import all_verdicts, has_fault

GOOD, NOTE, WRONG = Judgement
DATA = FolderFacts("/data/movies", mount="/data", kind="xfs", device=1, free_bytes=9000 * GIB)
PROCESSING = FolderFacts(
    "/data/processed",
    mount="/results",
    kind="xfs",
    device=2,
    own_device=2,
    free_bytes=9000 * GIB,
    free_inodes=10**8,
    mtime_ahead_s=0.1,
)
WELL = HostFacts(
    software=SoftwareFacts("CPython 3.12.1", "/opt/warpcore/bin/python", "0.2.0"),
    gpus=GpuFacts(("0", "1"), "550.54.15", has_plugin=True, jax="NVIDIA H100 (gpu)"),
    ports=PortFacts("127.0.0.1", (5000, 8080, 8081, 8082, 8083)),
    clock=ClockFacts(2e9, 1.9e9, scheduler_ahead_s=0.2, uncertain_s=0.01),
    limits=LimitFacts(65536, None, 524288, cores=32, memory_bytes=256 * GIB, free_memory_bytes=200 * GIB),
    scheduler=SchedulerFacts("tcp://host:8081", is_expected=True, version="0.2.0"),
    data=DATA,
    processing=PROCESSING,
    packages={"jax": "0.10.2"},
)


def found(facts: HostFacts, judgement: Judgement) -> list[Verdict]:
    return [one for one in all_verdicts(facts) if one.judgement is judgement]


def test_a_host_that_is_well_has_no_line_that_asks_for_anything() -> None:
    verdicts = all_verdicts(WELL)
    assert {one.judgement for one in verdicts} == {GOOD}
    assert not has_fault(verdicts)
    assert not any(one.advice for one in verdicts)
    said = " ".join(one.found for one in verdicts)
    parts = ("CPython 3.12.1", "jax 0.10.2", "550.54.15", "H100", "8083", "/results (xfs", "warpcore 0.2.0", "0.21 s")
    assert all(part in said for part in parts)


def changed(**parts: object) -> HostFacts:
    """The good host, with these fields of these parts, `part__field`, otherwise."""
    facts = WELL
    for name, value in parts.items():
        part, _, field = name.partition("__")
        facts = replace(facts, **{part: replace(getattr(facts, part), **{field: value}) if field else value})  # type: ignore[arg-type]
    return facts


@pytest.mark.parametrize(
    ("facts", "judgement", "subject", "said", "advice"),
    [
        (changed(software__missing=("gemmi",)), WRONG, "packages", "gemmi", "install"),
        (changed(software__has_page=False), NOTE, "live page", "not built", "build_page"),
        (changed(software__has_curve=False), WRONG, "encryption", "CURVE", "pyzmq"),
        (changed(gpus__gpus=()), NOTE, "GPU", "CPU", ""),
        (changed(gpus__has_plugin=False), WRONG, "CUDA", "no worker uses a GPU", "warpcore[cuda]"),
        (changed(gpus__fault="look at nvidia-smi"), WRONG, "JAX", "H100", "nvidia-smi"),
        (changed(limits__free_memory_bytes=2 * GIB), NOTE, "memory", "2 GiB free", "fewer"),
        (changed(limits__files=1024), NOTE, "open files", "1024", "LimitNOFILE"),
        (changed(limits__processes=100), NOTE, "processes", "100", "TasksMax"),
        (changed(limits__inotify_watches=128), NOTE, "watched folders", "128", "--no-watch"),
        (changed(ports__faults=("port 5000 is used; choose another",)), WRONG, "port", "5000", "choose another"),
        (changed(scheduler__problem="no answer"), WRONG, "scheduler", "no answer", "start it"),
        (changed(scheduler__version="0.1.0"), WRONG, "version", "0.1.0, this host 0.2.0", "same version"),
        (changed(scheduler__key_problem="k.toml is open to other users"), WRONG, "key", "open", "keys add"),
        (changed(clock__scheduler_ahead_s=-400.0), NOTE, "clock", "400 s behind", "timedatectl"),
        (changed(clock__wall_s=1.9e9 - 7200), WRONG, "clock", "2.0 h before", "timedatectl"),
        (changed(clock__is_monotonic=False), WRONG, "clock", "monotonic", "kernel"),
        (changed(data__problem="data directory /x does not exist; create it"), WRONG, "data", "/x", "create it"),
        (changed(data__kind="nfs4"), NOTE, "data", "nfs4", "--no-watch"),
        (changed(data__kind="lustre"), NOTE, "data", "lustre", "--no-watch"),
        (changed(processing__problem="/x cannot be written; chmod"), WRONG, "processing", "/x", "chmod"),
        (changed(processing__failed=("locks: not there; mount it with locks",)), WRONG, "processing", "locks", "mount"),
        (changed(processing__has_links=False), NOTE, "processing", "copies", ""),
        (changed(processing__own_device=3), NOTE, "processing", "copied to their places", "--state"),
        (changed(processing__free_bytes=GIB), NOTE, "space", "1.0 GiB", "another disk"),
        (changed(processing__free_inodes=50), NOTE, "space", "50 more files", "file system"),
        (changed(processing__mtime_ahead_s=90.0), NOTE, "processing", "+90 s", "file server"),
        (changed(processing__device=1, processing__own_device=1), NOTE, "folders", "microscope", "disk"),
        (changed(state_advice="the state is on nfs: give --state FILE"), WRONG, "state", "nfs", "--state"),
        (changed(processing__kind="lustre"), NOTE, "state", "lustre", "--state"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_alone_is_one_line_with_what_to_do(
    facts: HostFacts, judgement: Judgement, subject: str, said: str, advice: str
) -> None:
    others = [one for one in all_verdicts(facts) if one.judgement is not GOOD]
    (one,) = others
    assert (one.subject, one.judgement) == (subject, judgement)
    assert said in one.found
    assert advice in one.advice
    assert "\n" not in one.found + one.advice
    assert has_fault(others) is (judgement is WRONG)


def test_data_and_processing_directory_must_differ() -> None:
    facts = changed(processing__path=DATA.path)
    assert [one.subject for one in found(facts, WRONG)] == ["folders"]


def test_before_a_session_starts_it_is_no_fault_that_no_scheduler_answers() -> None:
    silent = SchedulerFacts(Endpoints().control, problem="no answer")
    assert [one.subject for one in found(changed(scheduler=silent), NOTE)] == ["scheduler"]
    assert found(changed(scheduler=silent), WRONG) == []


def test_ports_that_the_users_own_session_holds_are_well() -> None:
    facts = changed(ports__faults=("port 5000 is used; choose another",), ports__holder="grid1")
    assert {one.judgement for one in all_verdicts(facts)} == {GOOD}
    assert any("held by your session grid1" in one.found for one in all_verdicts(facts))


def test_a_host_that_only_computes_needs_neither_ports_nor_folders() -> None:
    facts = changed(ports=None, data=None, processing=None)
    subjects = {one.subject for one in all_verdicts(facts)}
    assert not subjects & {"ports", "port", "data", "processing", "folders", "state"}
