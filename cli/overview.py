"""The state of a session, as `status` prints it and the live display shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warpcore.bus.messages import (
    Alarm,
    Alarms,
    GetAlarms,
    GetItems,
    GetProcessing,
    GetWorkers,
    Items,
    Learnt,
    Load,
    Movie,
    ProcessingStatus,
    StageTime,
    Worker,
    Workers,
)
from warpcore.bus.vocabulary import ENDED, MovieStatus, Order, Pauser
from warpcore.cli import remote

if TYPE_CHECKING:
    from warpcore.bus.client import RequestClient

FAILURES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Overview:
    """What the scheduler says now. `failures` are the last few failed movies; `status.counts` has their number."""

    status: ProcessingStatus
    workers: list[Worker]
    failures: list[Movie]
    alarms: list[Alarm]

    @property
    def done(self) -> int:
        """Movies that have ended: processed, filtered out or failed."""
        return sum(self.status.counts.get(status, 0) for status in ENDED)

    @property
    def unseen(self) -> list[Alarm]:
        """The alarms that nobody has acknowledged."""
        return [alarm for alarm in self.alarms if not alarm.acknowledged]

    @property
    def left_s(self) -> float | None:
        """Seconds until the movies left are done at the measured rates; None as long as there is no rate."""
        rate = (self.status.rate_per_hour or 0) + (self.status.reruns_per_hour or 0)
        return self.status.left / rate * 3600 if rate else None

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with the names of the wire."""
        return {
            **self.status.to_body(),
            "workers": [worker.to_body() for worker in self.workers],
            "failures": [movie.to_body() for movie in self.failures],
            "alarms": [alarm.to_body() for alarm in self.alarms],
        }


def look(asking: RequestClient) -> Overview:
    """Ask the scheduler for its state. Raises NoAnswerError."""
    status = remote.ask(asking, GetProcessing(), ProcessingStatus)
    workers = remote.ask(asking, GetWorkers(), Workers).workers
    alarms = remote.ask(asking, GetAlarms(), Alarms).alarms
    failures: list[Movie] = []
    if status.counts.get(MovieStatus.FAILED):
        failures = remote.ask(
            asking, GetItems(status=MovieStatus.FAILED, sort="-added", page_size=FAILURES_SHOWN), Items
        ).movies
    return Overview(status, workers, failures, alarms)


def lines(overview: Overview) -> list[str]:
    """The overview as plain lines."""
    status = overview.status
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in status.counts.items() if count)
    told = [
        *([status.summary] if status.summary else []),
        f"{state_text(status)}: {overview.done} of {status.total} movies done"
        + (f" ({counts})" if counts else "")
        + (f", order {status.order}" if status.order != Order.NORMAL else ""),
    ]
    if status.rate_per_hour is not None or status.reruns_per_hour:
        told.append(f"rate: {rate_text(overview)}")
    told += [f"results: {latency_text(one)}" for one in status.latency if one.stage == "latency"]
    told += [f"worker {worker.id}: {worker_text(worker, status)}" for worker in overview.workers]
    told += status.pools
    told += [learnt_text(one) for one in status.learnt]
    told += [f"on hold: {reason}" for reason in status.holds]
    told += [f"{alarm.severity}: {alarm.text}" for alarm in overview.unseen if alarm.text not in status.holds]
    told += [f"note: {text}" for text in status.notes]
    told += [f"failed: {movie.name}: {failure_text(movie)}" for movie in overview.failures]
    told += [f"data {status.data_directory}, results {status.processing_directory}"]
    return told


def state_text(status: ProcessingStatus) -> str:
    """`processing`, or that it holds or is paused and how it goes on."""
    if status.is_processing:
        return "on hold" if status.holds else "processing"
    return "paused until the next movie" if status.paused_by == Pauser.IDLE else "paused"


def rate_text(overview: Overview) -> str:
    """`420 movies/h, 30 reruns/h, 3 min left`."""
    rate, reruns, left_s = overview.status.rate_per_hour, overview.status.reruns_per_hour, overview.left_s
    if rate is None and not reruns:
        return "no movie done yet"
    again = f", {reruns:.0f} reruns/h" if reruns else ""
    left = f", {duration(left_s)} left" if left_s else ""
    return f"{rate or 0:.0f} movies/h{again}{left}"


def latency_text(latency: StageTime) -> str:
    """`12 s after a file is there, for nine of ten within 20 s (last 100 movies)`."""
    movies = "the last movie" if latency.movies == 1 else f"the last {latency.movies} movies"
    within = duration(latency.p90_s)
    return f"{duration(latency.median_s)} after a file is there, for nine of ten within {within} ({movies})"


def learnt_text(learnt: Learnt) -> str:
    """What a step has learnt, how far it is, or why it could not."""
    if learnt.failed:
        return f"{learnt.step} could not learn, each movie goes by itself: {learnt.text}"
    if learnt.id:
        return f"{learnt.step} has learnt from {learnt.count} movies: {learnt.text}"
    return f"{learnt.step} learns from the first {learnt.count} movies: {len(learnt.movies)} so far"


def worker_text(worker: Worker, status: ProcessingStatus) -> str:
    """A worker's state, the reason for it, its counts, and its tasks."""
    running = [task for task in status.running if task.get("worker") == worker.id]
    now = "; ".join(task_text(task) for task in running)
    because = f" ({worker.reason})" if worker.reason else ""
    failed = f", {worker.failed} failed" if worker.failed else ""
    gpu = f", {load}" if (load := load_text(worker.load)) else ""
    return f"{worker.state}{because}, {worker.device}{gpu}, {worker.done} done{failed}" + (f": {now}" if now else "")


def load_text(load: Load) -> str:
    """`GPU 93 %, 9.8 GiB, 61 °C, 310 W, slowed down by heat`: what is known of a worker's GPU, "" where nothing is."""
    memory, slower = load.gpu_memory_mb, load.gpu_throttling
    values = (
        f"{load.gpu_utilisation_percent} %" if load.gpu_utilisation_percent is not None else "",
        f"{memory / 1024:.1f} GiB" if memory is not None else "",
        f"{load.gpu_temperature_c} °C" if load.gpu_temperature_c is not None else "",
        f"{load.gpu_power_w} W" if load.gpu_power_w is not None else "",
        f"{load.gpu_ecc_uncorrected} memory errors" if load.gpu_ecc_uncorrected else "",
        f"slowed down by {' and '.join(slower).replace('_', ' ')}" if slower else "",
    )
    told = ", ".join(value for value in values if value)
    return f"GPU {told}" if told else ""


def task_text(task: dict[str, Any]) -> str:
    """`grid1/a motion 40%`."""
    step, fraction = task.get("step") or "", task.get("fraction")
    done = f" {fraction:.0%}" if step and isinstance(fraction, int | float) else ""
    return f"{task.get('movie', '')} {step}{done}".strip()


def failure_text(movie: Movie) -> str:
    """The step in which a movie failed, and why."""
    failure = movie.failure
    return f"{failure.kind} in {failure.step}: {failure.message}" if failure else movie.status


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
