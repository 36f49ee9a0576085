"""An instance names a process: others on its host see whether it still runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from warpcore.services.process.instances import has_ended, new_instance


def test_instances_are_unique_and_this_process_runs() -> None:
    one, other = new_instance(), new_instance()
    assert one != other
    assert not has_ended(one)


def test_a_process_has_ended_once_it_is_dead_also_before_its_parent_has_noticed(
    wait_until: Callable[..., None],
) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    instance = new_instance(process.pid)
    assert not has_ended(instance)
    process.kill()
    wait_until(lambda: has_ended(instance), what="an end that is seen while the process is a zombie")
    process.communicate()
    assert has_ended(instance)


@pytest.mark.parametrize("place", [0, 1])
def test_of_another_boot_or_container_nothing_is_known(place: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    parts = new_instance(process.pid).split("/")
    process.wait()
    assert has_ended("/".join(parts))
    parts[place] = "another"
    assert not has_ended("/".join(parts))


def test_a_number_that_another_process_has_got_is_not_the_process_that_ended() -> None:
    parts = new_instance().split("/")
    assert has_ended("/".join([*parts[:3], "7", parts[4]]))


@pytest.mark.parametrize("text", ["", "i", "////", "a/b/c/d/e", "x/y/-1/5/z", "/" * 9, "a/b/٣/4/5"])
def test_any_text_may_come_as_an_instance(text: str) -> None:
    assert not has_ended(text)
