"""The live progress display on a terminal."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from warpcore.bus.messages import ProcessingStatus, Worker
from warpcore.bus.vocabulary import MovieStatus, Severity, WorkerState
from warpcore.cli.overview import Overview, failure_text, learnt_text, load_text, rate_text, state_text

COLOURS: dict[str, str] = {
    MovieStatus.PROCESSED: "green",
    MovieStatus.FILTERED_OUT: "yellow",
    MovieStatus.FAILED: "red",
    MovieStatus.PROCESSING: "cyan",
    MovieStatus.QUEUED: "cyan",
}
WORKER_COLOURS: dict[str, str] = {WorkerState.BUSY: "cyan", WorkerState.LOST: "red", WorkerState.SET_ASIDE: "red"}

ALARM_COLOURS = {Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}


def rendered(overview: Overview | None, note: str = "") -> RenderableType:
    """The display: counts and rate, each worker with its movie, step and progress, the last failures."""
    if overview is None:
        return Text(note or "waiting for the scheduler …", style="dim")
    summary = [Text(overview.status.summary, style="bold")] if overview.status.summary else []
    parts: list[RenderableType] = [*summary, _head(overview), _counts(overview.status)]
    if overview.workers:
        parts.append(_workers(overview.workers, overview.status))
    parts += [Text(line, style="dim") for line in overview.status.pools]
    parts += [Text(learnt_text(one), style="dim") for one in overview.status.learnt]
    parts += [Text(f"! {alarm.text}", style=ALARM_COLOURS[alarm.severity]) for alarm in overview.unseen]
    parts += [Text(f"✗ {movie.name}: {failure_text(movie)}", style="red") for movie in overview.failures]
    if note:
        parts.append(Text(note, style="dim"))
    return Group(*parts)


def live(console: Console) -> Live:
    """A display that shows each update in place. The last one stays on the screen."""
    return Live(rendered(None), console=console, refresh_per_second=4, transient=False)


def _head(overview: Overview) -> RenderableType:
    status = overview.status
    table = Table.grid(padding=(0, 2))
    word = Text(state_text(status), style="bold green" if status.is_processing else "bold yellow")
    bar = ProgressBar(total=max(status.total, 1), completed=overview.done, width=30)
    table.add_row(word, bar, f"{overview.done} of {status.total} movies", Text(rate_text(overview), style="dim"))
    return table


def _counts(status: ProcessingStatus) -> RenderableType:
    text = Text()
    for name, count in status.counts.items():
        if count:
            text.append(f"{count} {name.replace('_', ' ')}   ", style=COLOURS.get(name, ""))
    return text


def _workers(workers: list[Worker], status: ProcessingStatus) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for worker in workers:
        state = Text(worker.state, style=WORKER_COLOURS.get(worker.state, "dim"))
        tasks = [task for task in status.running if task.get("worker") == worker.id and task.get("step")]
        if not tasks:
            table.add_row(worker.id, state, "", "", Text(worker.reason or load_text(worker.load), style="dim"))
        for task in tasks:
            bar = ProgressBar(total=1.0, completed=float(task.get("fraction") or 0.0), width=12)
            table.add_row(worker.id, state, str(task["step"]), bar, str(task.get("movie", "")))
    return table
