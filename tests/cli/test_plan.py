"""What a session runs: command lines, devices, threads."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from warpcore.cli.devices import CPU_WORKER_THREADS, thread_environment, visible_gpus, worker_devices
from warpcore.cli.plan import Ports, ServiceSpec, SessionOptions, own_host, session_services
from warpcore.cli.up import POOL_TELLS_S, with_pools, with_references
from warpcore.services.api.http.options import HttpOptions


def specs(**changes: object) -> dict[str, ServiceSpec]:
    options = SessionOptions(Path("/data"), Path("/results"), **changes)  # type: ignore[arg-type]
    return {spec.name: spec for spec in session_services(options)}


def value(spec: ServiceSpec, option: str) -> str:
    command = spec.command(first=True)
    return command[command.index(option) + 1]


def test_each_service_is_there_and_one_worker_a_device() -> None:
    assert list(specs(devices=("cuda:0", "cuda:1"))) == [
        *("scheduler", "tracker", "api", "discoverer"),
        *("worker-1", "worker-2"),
    ]


def test_the_notifier_runs_where_alarms_are_to_be_sent() -> None:
    assert "notifier" not in specs()
    found = specs(notify=Path("/n.toml"), ports=Ports(1, 2, 3, 4, 5))["notifier"]
    assert [value(found, one) for one in ("--notify", "--processing", "--control-port", "--events-out-port")] == [
        *("/n.toml", "/results", "3", "5"),
    ]


def test_a_pool_ends_its_jobs_with_the_session_and_has_as_long_as_its_file_says(tmp_path: Path) -> None:
    file = tmp_path / "gpu.toml"
    file.write_text("executor = 'slurm'\ncommand_s = 90.0\n")
    options = with_pools(SessionOptions(Path("/data"), Path("/results"), pools=(file,)))
    found = {spec.name: spec for spec in session_services(options)}
    assert "--end-jobs" in found["pool-gpu"].command(first=True)
    assert [spec.ends_within_s for spec in found.values() if spec.ends_within_s is not None] == [90.0 + POOL_TELLS_S]


def test_a_session_without_workers_waits_for_those_of_other_hosts() -> None:
    assert not [name for name in specs(devices=()) if name.startswith("worker")]


def test_all_services_agree_on_the_ports() -> None:
    found = specs(ports=Ports(1, 2, 3, 4, 5))
    for name in ("scheduler", "tracker", "api", "discoverer"):
        assert value(found[name], "--control-port") == "3"
    for name in ("scheduler", "tracker", "discoverer"):
        assert (value(found[name], "--events-in-port"), value(found[name], "--events-out-port")) == ("4", "5")
    for name in ("scheduler", "worker-1"):
        assert value(found[name], "--controller-port") == "2"
    assert (value(found["api"], "--port"), value(found["api"], "--events-out-port")) == ("1", "5")


def test_the_api_is_told_which_web_sites_are_allowed() -> None:
    command = specs(http=HttpOptions(origins=("https://a.example", "https://b.example")))["api"].command(first=False)
    assert command[-4:] == ["--allow-origin", "https://a.example", "--allow-origin", "https://b.example"]


def test_what_may_be_read_is_told_to_those_that_judge_it_at_each_start() -> None:
    """Also after a crash, when what `--set` says is stored already and not given again."""
    found = specs(references=("/gains", "/mtf"), follow_links=True)
    for first in (True, False):
        command = found["scheduler"].command(first=first)
        assert [command[at + 1] for at, one in enumerate(command) if one == "--references"] == ["/gains", "/mtf"]
        assert "--follow-links" in command
        assert "--follow-links" in found["discoverer"].command(first=first)
    assert "--follow-links" not in " ".join(part for one in specs().values() for part in one.command(first=True))


def test_all_that_write_results_let_the_group_write() -> None:
    found = specs(group_writable=True, notify=Path("/n.toml"))
    assert [name for name, one in found.items() if "--group-writable" not in one.command(first=False)] == ["discoverer"]


def test_files_that_are_named_with_a_session_allow_their_folders() -> None:
    assignments = ("import.gain_path=/gains/x.tif", "export.mtf_path=/mtf/k3.star")
    options = with_references(SessionOptions(Path("/d"), Path("/p"), references=("/r",), assignments=assignments))
    assert options.references == ("/r", "/gains", "/mtf")


def test_the_api_is_told_all_of_how_it_is_served() -> None:
    http = HttpOptions(("https://a.example",), ("b.example", "c"), ("10.0.0.1",), Path("/c.pem"), Path("/k.pem"))
    command = specs(http=http)["api"].command(first=False)
    for told in (
        *(("--allow-origin", "https://a.example"), ("--allow-host", "b.example"), ("--allow-host", "c")),
        *(("--trust-proxy", "10.0.0.1"), ("--tls-cert", "/c.pem"), ("--tls-key", "/k.pem")),
    ):
        assert told in pairwise(command)


def test_workers_are_told_when_to_rest() -> None:
    assert value(specs(rest_after_min=0.0)["worker-1"], "--rest-after") == "0.0"


def test_initial_settings_and_pause_are_given_only_at_the_start() -> None:
    """Given again after a crash, they would undo what the user has changed since."""
    scheduler = specs(settings_file=Path("/s.json"), assignments=("ctf.cs=2",), paused=True)["scheduler"]
    first, later = scheduler.command(first=True), scheduler.command(first=False)
    assert first == [*later, "--settings", "/s.json", "--set", "ctf.cs=2", "--paused"]


def test_workers_keep_their_names_over_restarts() -> None:
    first, second = specs(devices=("cpu", "cpu")), specs(devices=("cpu", "cpu"))
    assert value(first["worker-1"], "--name") == value(second["worker-1"], "--name")
    assert value(first["worker-1"], "--name") != value(first["worker-2"], "--name")


@pytest.mark.parametrize(
    ("bind", "host"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("10.0.0.5", "10.0.0.5")]
)
def test_services_of_the_same_host_find_what_is_bound(bind: str, host: str) -> None:
    assert own_host(bind) == host
    assert value(specs(bind=bind)["worker-1"], "--scheduler") == host


@pytest.mark.parametrize(
    ("wanted", "gpus", "devices"),
    [
        (None, ["0", "1"], ["cuda:0", "cuda:1"]),
        (None, [], ["cpu"]),
        (3, [], ["cpu", "cpu", "cpu"]),
        (4, ["0", "1"], ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]),
        (1, ["2", "3"], ["cuda:2"]),
        (0, ["0"], []),
    ],
)
def test_workers_are_spread_over_the_devices(wanted: int | None, gpus: list[str], devices: list[str]) -> None:
    assert worker_devices(wanted, gpus) == devices


def test_only_the_gpus_that_the_user_names_are_used() -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "2, 3"}, []) == ["2", "3"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}, ["GPU-a"]) == []
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "GPU-b"}, ["GPU-a", "GPU-b"]) == ["GPU-b"]
    assert visible_gpus({}, ["GPU-a", "GPU-b"]) == ["0", "1"]


def memory(devices: tuple[str, ...], **environment: str) -> list[str | None]:
    found = specs(devices=devices, environment=environment)
    return [
        spec.environment.get("XLA_CLIENT_MEM_FRACTION") for spec in found.values() if spec.name.startswith("worker")
    ]


def test_workers_that_share_a_gpu_share_its_memory() -> None:
    assert memory(("cuda:0", "cuda:1", "cuda:0", "cpu")) == ["0.400", "0.900", "0.400", None]
    assert memory(("cuda:0", "cuda:0"), XLA_CLIENT_MEM_FRACTION="0.2") == [None, None]
    assert memory(("cuda:0",), XLA_PYTHON_CLIENT_MEM_FRACTION="0.2") == [None], "JAX refuses the two names together"


@pytest.mark.parametrize("cores", [1, 2, 4, 64])
def test_the_threads_that_results_depend_on_are_the_same_for_any_number_of_workers(cores: int) -> None:
    environments = [thread_environment("cpu", workers, cores) for workers in (1, 2, 7)]
    assert {environment["NPROC"] for environment in environments} == {str(min(cores, CPU_WORKER_THREADS))}
    assert {environment["OPENBLAS_NUM_THREADS"] for environment in environments} == {"1"}
    shares = [int(environment["OMP_NUM_THREADS"]) for environment in environments]
    assert shares == [max(1, cores // workers) for workers in (1, 2, 7)]
