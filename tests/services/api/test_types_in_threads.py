"""msgspec knows all types before any thread can read them: its first look at one is not safe beside another thread."""

from __future__ import annotations

import subprocess
import sys

import pytest

INTERRUPTED = """
import sys
import threading
from warpcore.bus.messages import Movie

body = Movie(1, "a", "a.tif", 1, 1, "processed").to_body()

def read():
    print(Movie.from_body(body).name)

def meanwhile(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "get_class_annotations" and frame.f_locals["obj"] is not Movie:
        other = threading.Thread(target=read)  # msgspec looks at the type of a field of Movie
        other.start()
        other.join()

sys.setprofile(meanwhile)
read()
"""
PROGRAM = """
import sys
import msgspec
from warpcore.bus.schema import Message
from warpcore.services.api.views import View
{make_ready}

def all_of(kind):
    return [kind, *(deeper for one in kind.__subclasses__() for deeper in all_of(one))]

looked_at = []

def note(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "get_class_annotations":
        looked_at.append(frame.f_locals["obj"].__name__)

class New(msgspec.Struct):
    pass

kinds = [*all_of(Message)[1:], *all_of(View)]
sys.setprofile(note)
for kind in [*kinds, New]:
    msgspec.json.Decoder(kind)
sys.setprofile(None)
print(len(kinds) > 100, *looked_at)
"""
API = """
from warpcore.services.api.app import Dependencies, create_app
from warpcore.services.api.client import SchedulerClient
create_app(Dependencies(SchedulerClient("tcp://127.0.0.1:1")))
"""


def test_two_threads_read_their_first_movies_at_once() -> None:
    """Were the type not known before, the process would end by a segmentation fault."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, f"signal {-done.returncode}"
    assert done.stdout.split()[-1] == "a"


@pytest.mark.parametrize("make_ready", [API, "import warpcore.services.client"])
def test_types_are_known_before_threads_begin(make_ready: str) -> None:
    command = [sys.executable, "-c", PROGRAM.format(make_ready=make_ready)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)

    assert done.stdout.split() == ["True", "New"]
