"""The session's state, its settings, and whether it runs."""

from __future__ import annotations

from typing import Any

from msgspec import field

from warpcore.bus import limits
from warpcore.bus.messages.parts import Change, Learnt, Movie, StageTime
from warpcore.bus.schema import Message, Port, message, part
from warpcore.bus.vocabulary import Order, Pauser


@message("snapshot")
class Snapshot(Message, frozen=True):
    """The state as of change `seq`; `next_after` is null on the last page.

    A new `epoch` says that the change log was begun anew and does not continue the one before.
    """

    seq: int
    epoch: str
    movies: list[Movie]
    next_after: int | None
    settings: dict[str, Any]
    settings_revision: int
    paused: bool


@message("snapshot.get", port=Port.CONTROL, answers=(Snapshot,))
class GetSnapshot(Message, frozen=True):
    """A page of the whole state: movies with id > `after`.

    Afterwards ask for the changes since the `seq` of the first page.
    """

    after: int = 0
    limit: int = limits.USUAL_AT_ONCE


@message("changes")
class Changes(Message, frozen=True):
    """Rows of the change log. `head` is the newest number that exists.

    `trimmed` says that the log no longer reaches back to `since`: take a snapshot.
    """

    changes: list[Change]
    head: int
    epoch: str
    trimmed: bool = False


@message("changes.get", port=Port.CONTROL, answers=(Changes,))
class GetChanges(Message, frozen=True):
    """The changes with seq > `since`, oldest first, at most `limit` and as many as fit a frame."""

    since: int
    limit: int = limits.USUAL_AT_ONCE


@part
class SettingsEffect(Message, frozen=True):
    """What a change of settings does, counted in movies that have results.

    `changed` are the dotted names that differ, `runs` says how many movies run each step, `movies` how many run at all,
    `kept` how many get earlier results back without running, `rejected` and `accepted` how many the filter takes out
    and returns, by their present results or by those that they get back, `retried` how many failed ones are tried
    again.
    """

    changed: list[str]
    runs: dict[str, int]
    movies: int
    kept: int
    rejected: int
    accepted: int
    retried: int


@message("settings")
class SettingsReply(Message, frozen=True):
    """All settings by section. `revision` grows by one with each change; `effect` says what a change does."""

    settings: dict[str, Any]
    revision: int
    outdated: int = 0
    effect: SettingsEffect | None = None


@message("settings.get", port=Port.CONTROL, answers=(SettingsReply,))
class GetSettings(Message, frozen=True):
    """All current settings."""


@message("settings.put", port=Port.CONTROL, answers=(SettingsReply,))
class PutSettings(Message, frozen=True):
    """Replace all settings. A setting that is not named returns to its default. Impossible values: error `invalid`."""

    settings: dict[str, Any]
    by: str = ""


@message("settings.patch", port=Port.CONTROL, answers=(SettingsReply,))
class PatchSettings(Message, frozen=True):
    """Change the named settings, as nested maps (`{"ctf": {"range_max": 5}}`). Impossible values: error `invalid`."""

    settings: dict[str, Any]
    by: str = ""


@message("settings.preview", port=Port.CONTROL, answers=(SettingsReply,))
class PreviewSettings(Message, frozen=True):
    """Say what a change of the named settings would do, and change nothing. Impossible values: error `invalid`.

    `whole`: all settings are given; one that is not named returns to its default.
    """

    settings: dict[str, Any]
    whole: bool = False


@part
class ValueInUse(Message, frozen=True):
    """A value that movies are processed with: null where nobody tells it. `value` has six digits unless it is set.

    `source` is `setting`, `metadata`, `header` or `assumed`, "" where nobody tells it; `movies` have it from there.
    """

    value: float | None
    source: str
    movies: int


@part
class SettingInUse(Message, frozen=True):
    """A setting that movies may tell themselves, with its values, those of most movies first.

    Of many values the first 20 are told; `others` is the number of movies that have another one.
    """

    name: str
    values: list[ValueInUse]
    others: int = 0


@message("settings.in_use")
class SettingsInUse(Message, frozen=True):
    """The settings that movies may tell themselves."""

    settings: list[SettingInUse]


@message("settings.in_use.get", port=Port.CONTROL, answers=(SettingsInUse,))
class GetSettingsInUse(Message, frozen=True):
    """With which values the movies are processed where a setting is null, and where these come from."""


@message("processing.status")
class ProcessingStatus(Message, frozen=True):
    """How far the session is. `counts` are by movie status.

    `left` is how many movies run or wait to; excluded ones do not wait.
    `rate_per_hour` is measured over the last `rate_window_s` seconds and null before the first movie is done. It counts
    movies of which all steps ran; `reruns_per_hour` those that were there and of which only some ran again.
    `warnings`: stored settings that were set aside, and what living workers and the discoverer have noticed, each once;
    `notes` are those of them that are no alarms: what is usual, such as averages set aside and values that are assumed,
    or passes by itself.
    `learnt` says what steps have learnt, or learn, under the present settings. `order` says which movie is next,
    `paused_by` who paused. `latency` says how long each stage took for the movies done last; it is empty before the
    first is done in this run of the scheduler. `summary` says in one sentence how the session goes, `holds` why no
    movies are given to workers although nobody paused, one line a reason. `pools` says in a line each how the pools are
    that start workers. `waiting` counts movies that workers could be given now, were there enough: for their own steps,
    for exports, and for the next try, which alone is given while the session is paused; null from an older scheduler.
    """

    is_processing: bool
    counts: dict[str, int]
    total: int
    left: int
    rate_per_hour: float | None
    rate_window_s: float
    workers: int
    running: list[dict[str, Any]]
    seq: int
    data_directory: str
    processing_directory: str
    warnings: list[str] = field(default_factory=list)
    learnt: list[Learnt] = field(default_factory=list)
    order: Order = Order.NORMAL
    paused_by: Pauser | None = None
    latency: list[StageTime] = field(default_factory=list)
    summary: str = ""
    holds: list[str] = field(default_factory=list)
    reruns_per_hour: float | None = None
    pools: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waiting: int | None = None


@message("processing.start", port=Port.CONTROL, answers=(ProcessingStatus,))
class StartProcessing(Message, frozen=True):
    """Give movies to workers."""


@message("processing.pause", port=Port.CONTROL, answers=(ProcessingStatus,))
class PauseProcessing(Message, frozen=True):
    """Give no more movies to workers; running tasks finish."""


@message("processing.order", port=Port.CONTROL, answers=(ProcessingStatus,))
class OrderProcessing(Message, frozen=True):
    """Give waiting movies to workers in this order from now on."""

    order: Order


@message("processing.get", port=Port.CONTROL, answers=(ProcessingStatus,))
class GetProcessing(Message, frozen=True):
    """What is done and what runs."""


@message("health")
class Health(Message, frozen=True):
    """The scheduler's own state. `malformed` counts dropped frames by socket."""

    uptime_s: float
    seq: int
    movies: int
    workers: int
    malformed: dict[str, int]
    versions: dict[str, str]


@message("health.get", port=Port.CONTROL, answers=(Health,))
class GetHealth(Message, frozen=True):
    """The scheduler's own state."""
