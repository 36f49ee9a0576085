"""What a running session shows on stderr: a live display on a terminal, else plain lines."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.text import Text

from warpcore.bus.vocabulary import MovieStatus
from warpcore.cli.display import live, rendered
from warpcore.cli.logs import as_event, is_urgent
from warpcore.cli.overview import Overview, rate_text
from warpcore.services.process.logs import LogFormat


class Screen(Protocol):
    """Where a session's output goes."""

    def __enter__(self) -> Screen: ...

    def __exit__(self, *_: object) -> None: ...

    def line(self, service: str, text: str, error: bool) -> None:
        """A line of a service's output, or a decision about it."""

    def show(self, overview: Overview | None, note: str) -> None:
        """The session's present state, and a note about it."""


class PlainScreen:
    """Each line of each service after its name, and a line whenever more movies are done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: tuple[int, int, bool] | None = None
        self._note = ""

    def __enter__(self) -> PlainScreen:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to restore."""

    def line(self, service: str, text: str, error: bool) -> None:
        """`service | text`."""
        self._console.print(Text(f"{service:<11}| {text}"), soft_wrap=True)

    def show(self, overview: Overview | None, note: str) -> None:
        """A line when counts or the note have changed."""
        if note and note != self._note:
            self.line("up", note, False)
        self._note = note
        if overview is None:
            return
        status = overview.status
        now = (overview.done, status.total, status.is_processing)
        if now != self._shown and status.total:
            failed = status.counts.get(MovieStatus.FAILED, 0)
            also = f", {failed} failed" if failed else ""
            paused = "" if status.is_processing else ", paused"
            text = f"{overview.done} of {status.total} movies done{also}{paused}; {rate_text(overview)}"
            self.line("up", text, False)
        self._shown = now


class LiveScreen:
    """The display, and above it warnings, errors and decisions. All other lines are in the log files."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = live(console)

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def line(self, service: str, text: str, error: bool) -> None:
        """`service | text` for a warning, an error or a decision."""
        if error or service == "up" or is_urgent(text):
            self._console.print(Text(f"{service} | {text}", style="red" if error else ""), soft_wrap=True)

    def show(self, overview: Overview | None, note: str) -> None:
        """Refresh the display."""
        self._live.update(rendered(overview, note))


class JsonScreen(PlainScreen):
    """One JSON object a line, for programs: the services' events as they are, and those of `up` itself."""

    def line(self, service: str, text: str, error: bool) -> None:
        """An event."""
        event = as_event(service, text, logging.WARNING if error else logging.INFO)
        self._console.print(Text(event), soft_wrap=True)


class LastingScreen:
    """A screen whose terminal may go away: its window is closed, or its pipe breaks. Then nothing more is shown.

    The session must go on, or end in good order. The log files have every line.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._there = True

    def __enter__(self) -> LastingScreen:
        self._screen.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._while_there(self._screen.__exit__, None, None, None)

    def line(self, service: str, text: str, error: bool) -> None:
        """A line, as long as the terminal is there."""
        self._while_there(self._screen.line, service, text, error)

    def show(self, overview: Overview | None, note: str) -> None:
        """The display, as long as the terminal is there."""
        self._while_there(self._screen.show, overview, note)

    def _while_there(self, do: Callable[..., None], *arguments: object) -> None:
        if self._there:
            try:
                do(*arguments)
            except OSError:
                self._there = False


def screen_for(console: Console, log_format: LogFormat = LogFormat.TEXT) -> Screen:
    """The live screen on a terminal, else the plain one; JSON lines where those are wanted."""
    if log_format is LogFormat.JSON:
        return LastingScreen(JsonScreen(console))
    return LastingScreen(LiveScreen(console) if console.is_terminal else PlainScreen(console))
