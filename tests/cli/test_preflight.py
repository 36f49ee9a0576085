"""What `up` notices before it starts anything: each fault is one line that names it and says what to do."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from warpcore.cli import preflight


def test_a_data_directory_that_is_there_is_fine(tmp_path: Path) -> None:
    assert preflight.data_directory_fault(tmp_path) is None


def test_a_missing_data_directory_is_named(tmp_path: Path) -> None:
    fault = preflight.data_directory_fault(tmp_path / "gone")
    assert fault is not None
    assert str(tmp_path / "gone") in fault
    assert "--data" in fault


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    (tmp_path / "a.tif").touch()
    fault = preflight.data_directory_fault(tmp_path / "a.tif")
    assert fault is not None
    assert "not a directory" in fault


def test_a_processing_directory_is_made(tmp_path: Path) -> None:
    assert preflight.processing_directory_fault(tmp_path / "a" / "b") is None
    assert (tmp_path / "a" / "b").is_dir()
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_processing_directory_that_cannot_be_written_is_named() -> None:
    """In /proc nobody can write, not even root."""
    fault = preflight.processing_directory_fault(Path("/proc/warpcore"))
    assert fault is not None
    assert "/proc/warpcore" in fault
    assert "--processing" in fault


def test_results_do_not_go_among_the_movies(tmp_path: Path) -> None:
    assert preflight.nested_fault(tmp_path, tmp_path / ".") is not None
    assert preflight.nested_fault(tmp_path / "movies", tmp_path / "results") is None


def test_a_port_in_use_is_named_with_its_option(free_ports: Callable[[int], list[int]]) -> None:
    used, free = free_ports(2)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", used))
        holder.listen()
        faults = preflight.port_faults("127.0.0.1", {"--port": used, "--control-port": free})
    assert len(faults) == 1
    assert f"port {used} (--port)" in faults[0]
    assert preflight.port_faults("127.0.0.1", {"--port": used, "--control-port": free}) == []


def test_a_port_given_twice_is_told_before_it_collides(free_ports: Callable[[int], list[int]]) -> None:
    (port,) = free_ports(1)
    (fault,) = preflight.port_faults("127.0.0.1", {"--port": port, "--control-port": port})
    assert "--port" in fault
    assert "--control-port" in fault


def test_an_address_that_is_not_of_this_host_is_told() -> None:
    """Once, however many ports there are: no other port helps."""
    (fault,) = preflight.port_faults("192.0.2.1", {"--port": 5000, "--control-port": 8081})
    assert "192.0.2.1" in fault
    assert "--bind" in fault


@pytest.mark.parametrize("count", [1, 5])
def test_free_ports_are_free_and_different(count: int) -> None:
    ports = preflight.free_ports("127.0.0.1", count)
    assert len(set(ports)) == count
    assert preflight.port_faults("127.0.0.1", {f"--{port}": port for port in ports}) == []
