"""Ports that tests are handed: no two processes get the same, nor one that the system gives to connections."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.ports import free_ports_in_a_row, free_ports_of_loopback

COUNT = 100
OTHER = f"from tests.ports import *; print(*free_ports_of_loopback({COUNT}), free_ports_in_a_row(20)); input()"


def test_no_two_processes_are_handed_the_same_ports() -> None:
    command = [sys.executable, "-c", OTHER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[1]
    ) as other:
        assert other.stdout is not None
        *theirs, their_row = map(int, other.stdout.readline().split())
        ours, our_row = free_ports_of_loopback(COUNT), free_ports_in_a_row(20)
        other.communicate("\n")
    all_of_both = [*theirs, *ours, *range(their_row, their_row + 20), *range(our_row, our_row + 20)]
    assert len(set(all_of_both)) == len(all_of_both) == 2 * (COUNT + 20)
    given_by_system = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert max(all_of_both) < max(int(given_by_system[0]), 32_768)
