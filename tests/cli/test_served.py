"""`warpcore worker`: which schedulers it serves, and with which keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from warpcore.cli.errors import USAGE, CliError
from warpcore.cli.served import address, with_keys


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("gpu1", ("gpu1", 8080)),
        ("gpu1.lab.example:8084", ("gpu1.lab.example", 8084)),
        ("10.0.0.5:8084", ("10.0.0.5", 8084)),
        ("[::1]:8084", ("::1", 8084)),
        ("[::1]", ("::1", 8080)),
        ("fe80::1", ("fe80::1", 8080)),
    ],
)
def test_a_scheduler_is_a_host_with_a_port_or_without(text: str, where: tuple[str, int]) -> None:
    assert address(text, 8080) == where


@pytest.mark.parametrize("text", ["", ":8080", "gpu1:", "gpu1:0", "gpu1:65536", "gpu1:x", "tcp://gpu1:8080", "[::1"])
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(CliError, match="give HOST or HOST:PORT") as refused:
        address(text, 8080)
    assert refused.value.code == USAGE


def test_keys_are_given_for_all_or_for_none() -> None:
    two = [("127.0.0.1", 1), ("127.0.0.1", 2)]
    assert [one.key for one in with_keys(two, [])] == [None, None]
    with pytest.raises(CliError, match="2 schedulers and 1 keys are given"):
        with_keys(two, [Path("a.toml")])
    with pytest.raises(CliError, match="is given twice"):
        with_keys([two[0], two[0]], [])
