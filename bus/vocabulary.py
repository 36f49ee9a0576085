"""The words of warpcore: every status, choice and kind that travels, is stored or is shown, each with its meaning.

A word is a `str` with the value that stands on the wire and in the database: old messages and rows keep their meaning.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

import msgspec


class Word(StrEnum):
    """Base of the vocabularies. `meaning` is one sentence for people, for the docs and for help."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        """A member from its value and its meaning, which looking a member up by its value leaves out."""
        word = str.__new__(cls, value)
        word._value_ = value
        word.meaning = meaning
        return word


def in_words(vocabulary: type[Word]) -> str:
    """All words of a vocabulary with their meanings, for help."""
    return " ".join(f"{word}: {word.meaning}" for word in vocabulary)


class MovieStatus(Word):
    """Where a movie stands."""

    UNPROCESSED = "unprocessed", "Found, and waiting for a worker."
    OUTDATED = "outdated", "Settings ask for other results than the stored ones; waiting for a worker."
    QUEUED = "queued", "Given to a worker that has not begun."
    PROCESSING = "processing", "A worker runs its steps."
    PROCESSED = "processed", "All results are there and within the filter's limits."
    FILTERED_OUT = "filtered_out", "All results are there; the filter rejects the movie."
    FAILED = "failed", "A step could not be done; the failure says why."


class Selection(Word):
    """The user's own choice for a movie. No failure and no filter changes it."""

    AUTO = "auto", "The filter decides."
    INCLUDE = "include", "Kept, whatever the filter says."
    EXCLUDE = "exclude", "Left out, and not processed."


class Verdict(Word):
    """What the movies of a square or hole are like: advice for whoever chooses where to go on, never control."""

    FEW = "few", "Too few movies are done to say."
    GOOD = "good", "More than half of its movies are good, and that is no chance."
    MIDDLING = "middling", "About half of its movies are good."
    POOR = "poor", "Less than half of its movies are good, and that is no chance."


class Order(Word):
    """Which waiting movie is next. Priorities stand above it."""

    NORMAL = "normal", "Outdated movies first, then in order of discovery."
    OLDEST = "oldest", "The one whose file is the oldest."
    LATEST = "latest", "The one whose file is the newest."
    ALTERNATE = "alternate", "The newest and the oldest in turn."


class Pauser(Word):
    """Who paused processing."""

    PERSON = "person", "A person, who alone starts it again."
    IDLE = "idle", "The session itself, since nothing was left to do for long; it goes on with the next movie."


class FailureKind(Word):
    """Whose fault a failure is."""

    INPUT = "input", "The file cannot be used; it is not tried again by itself."
    RESOURCE = "resource", "Memory was short; tried again after a pause."
    DISK_FULL = "disk_full", "The disk was full; the session holds, and tries the movie again when there is room."
    STORAGE_AWAY = "storage_away", "A folder was away or did not answer; the movie is tried again when it is back."
    LOST_WORKER = "lost_worker", "The worker died or fell silent; tried again elsewhere."
    BAD_GPU = "bad_gpu", "The GPU failed; the worker is set aside and the movie tried again elsewhere."
    INTERNAL = "internal", "An error in warpcore; tried twice more, elsewhere first."
    POISONED = "poisoned", "The movie has cost several workers; it needs a person's word."
    CONFLICT = "conflict", "Another movie has the same name, so their outputs would meet."


class StoragePlace(Word):
    """Which files of a session lie there."""

    DATA = "data", "The movies, as the microscope writes them."
    PROCESSING = "processing", "All results."
    STATE = "state", "The scheduler's database, where it lies elsewhere."


class StorageCondition(Word):
    """How a folder's storage is."""

    OK = "ok", "It can be used."
    LOW = "low", "It can be used, and little is left of it."
    FULL = "full", "Nothing more can be written."
    AWAY = "away", "It is gone, has an error, or does not answer."


class ExportKind(Word):
    """What an export job makes."""

    MICROGRAPHS = "micrographs", "Averages, halves, stacks or deconvolved averages."
    PARTICLES = "particles", "Boxes of particles and particles.star."


class JobState(Word):
    """Where an export job stands."""

    RUNNING = "running", "Its movies are exported one by one."
    COLLECTING = "collecting", "All movies are done; the tracker writes the summary file."
    DONE = "done", "Everything is written."
    CANCELLED = "cancelled", "Given up by the user."
    FAILED = "failed", "No movie could be exported."
    DELETING = "deleting", "Its files are being deleted; then it is gone."


class ItemState(Word):
    """Where one movie of an export job stands."""

    PENDING = "pending", "Waiting for a worker."
    HELD = "held", "Waiting until the movie is free and processed."
    RUNNING = "running", "A worker exports it."
    DONE = "done", "Exported."
    FAILED = "failed", "It could not be exported."
    DROPPED = "dropped", "Given up with its job."


class TryState(Word):
    """Where a try stands."""

    WAITING = "waiting", "Waiting for a worker, or for its movie to be free."
    RUNNING = "running", "A worker runs its steps."
    DONE = "done", "Its results are there."
    FAILED = "failed", "A step could not be done; the failure says why."


class WorkerState(Word):
    """What a worker does, as the registry shows it and as its heartbeat says."""

    STARTING = "starting", "Its compute process is not ready yet."
    IDLE = "idle", "Ready, and without a movie."
    BUSY = "busy", "Holds at least one movie."
    LOST = "lost", "Ended, died or silent for too long."
    SET_ASIDE = "set_aside", "Its GPU failed; it is given nothing until it is started again."


class Throttling(Word):
    """Why a GPU runs slower than it could."""

    HEAT = "heat", "It is too hot."
    POWER_CAP = "power_cap", "It draws as much power as it is allowed to."
    POWER_BRAKE = "power_brake", "The host's power supply asks it to slow down."
    HARDWARE = "hardware", "Its hardware slows it down, and does not say why."


class Role(Word):
    """What the holder of a key may do on the wire; `bus/rights.py` says it message by message."""

    WORKER = "worker", "Takes tasks and reports them, under the names that its key allows."
    SERVICE = "service", "Does what one service has to do, and publishes as itself."
    OPERATOR = "operator", "Reads all and changes all; the command line is one."
    OBSERVER = "observer", "Reads all and changes nothing."


class ServiceName(Word):
    """Which service a key of the role `service` is for."""

    DISCOVERER = "discoverer", "Finds movies and registers them."
    TRACKER = "tracker", "Writes the session's lists."
    API = "api", "Serves REST: it asks whatever people may ask, in their names."
    NOTIFIER = "notifier", "Sends alarms."
    POOL = "pool", "Starts and ends workers on a batch system."


class ErrorCode(Word):
    """Why a request was refused."""

    BAD_MESSAGE = "bad_message", "The body cannot be read."
    UNKNOWN_TYPE = "unknown_type", "This port answers no request of this type."
    NOT_FOUND = "not_found", "What the request names does not exist."
    INVALID = "invalid", "A value cannot be; `errors` lists each fault."
    CONFLICT = "conflict", "The request does not fit the present state."
    FORBIDDEN = "forbidden", "The sender's key does not allow this message."
    INTERNAL = "internal", "An error in warpcore, or the state could not be stored."


class AuditOutcome(Word):
    """What came of a request that is written down."""

    DONE = "done", "It was carried out."
    REFUSED = "refused", "Whoever asked has no right to it, so nothing was changed."


class Severity(Word):
    """How urgent an alarm is."""

    WARNING = "warning", "Processing goes on; look at it when you can."
    CRITICAL = "critical", "Processing stands still or its results are no use; look at it now."


class Purpose(Word):
    """Why a task runs. On the wire the task of an export job or a try carries its name instead."""

    PROCESS = "process", "The movie's own steps."
    EXPORT = "export", "One movie of an export job."
    TRY = "try", "One movie with other settings, aside from the session."

    @classmethod
    def of(cls, purpose: str) -> Purpose:
        """What the `purpose` of a task stands for."""
        if purpose == cls.PROCESS:  # first, as nearly all are
            return cls.PROCESS
        return cls.TRY if purpose.partition("-")[0] == cls.TRY else cls.EXPORT


TaskPurpose = Annotated[str, msgspec.Meta(pattern=rf"^({Purpose.PROCESS}|[a-z]+-[0-9]+)\Z")]
"""The purpose of a task on the wire: `process`, or an export job or try, such as `job-3` or `try-812`."""


WAITING = frozenset({MovieStatus.UNPROCESSED, MovieStatus.OUTDATED})
"""Waits for a worker."""
LEASED = frozenset({MovieStatus.QUEUED, MovieStatus.PROCESSING})
"""A worker holds it."""
DONE = frozenset({MovieStatus.PROCESSED, MovieStatus.FILTERED_OUT})
"""All results are there."""
ENDED = DONE | {MovieStatus.FAILED}
"""Nothing more will happen by itself."""
