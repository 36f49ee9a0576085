"""Notes what a process opens or changes in a session's folders without a judgement of `services/session/allowed.py`.

Python imports it at the start of each process whose PYTHONPATH holds this folder. `NOTED` is the file that is written,
`WATCHED` the folders. Audit events of Python tell both: what is judged (`warpcore.judged`), and what is opened.
"""

from __future__ import annotations

import os
import re
import sys

_FIRST = ("open", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.utime", "shutil.rmtree")
_BOTH = ("os.rename", "os.link")
_TEMPORARY = re.compile(r"\.(?P<target>.+)\.(?:[a-z0-9_]{8}(?:\.[^.]+)?|restored|copied)")
_FIXED = re.compile(
    r"/\.warpcore(?:|/(?:access|backups|picker|tries|placing|staging|kept)|/(?:access|backups|picker)/.*"
    r"|/(?:lock|state\.db.*|\.state\.db.*|notifier.*|\.notifier.*|tmp[^/]*))|/logs(?:/.*)?"
)
"""What we name ourselves below the processing directory: no name from elsewhere is in it."""


class _Watch:
    def __init__(self, folders: list[str], file: str) -> None:
        self._folders = tuple(f"{folder}/" for folder in folders)
        self._roots = folders
        self._note = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._judged: set[str] = set()
        self._above: set[str] = set()
        self._who = ""

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "warpcore.judged":
            self._learn(os.path.abspath(str(arguments[1])))
        elif event in _FIRST:
            self._look(event, arguments[0])
        elif event in _BOTH:
            self._look(event, arguments[0])
            self._look(event, arguments[1])

    def _learn(self, path: str) -> None:
        if not self._judged:
            self._tell("judges")
        if path not in self._judged:
            self._judged.add(path)
            folder = os.path.dirname(path)
            while folder not in self._above and len(folder) > 1:
                self._above.add(folder)
                folder = os.path.dirname(folder)

    def _look(self, event: str, given: object) -> None:
        if not isinstance(given, (str, bytes, os.PathLike)):
            return
        path = os.path.abspath(os.fsdecode(given))
        if not path.startswith(self._folders) or self._is_judged(path, event):
            return
        if not any(path.startswith(root) and _FIXED.fullmatch(path[len(root) :]) for root in self._roots):
            self._tell(f"{event} {path}")

    def _is_judged(self, path: str, event: str) -> bool:
        folder, name = os.path.split(path)
        if (match := _TEMPORARY.fullmatch(name)) is not None:
            path = f"{folder}/{match['target']}"
        if path in self._judged or (event != "open" and path in self._above):
            return True
        return "/.warpcore/" in path and folder in self._judged  # in the folder of a lease

    def _tell(self, text: str) -> None:
        who = " ".join(sys.argv[:2]) if len(sys.argv) > 1 else str(sys.argv)
        os.write(self._note, f"{os.path.basename(who)} {text}\n".encode(errors="replace"))


if "NOTED" in os.environ:
    sys.addaudithook(_Watch(os.environ["WATCHED"].split(os.pathsep), os.environ["NOTED"]).hook)
