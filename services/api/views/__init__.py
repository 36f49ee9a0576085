"""What REST shows, as types: camelCase names, times as ISO 8601 in UTC. The OpenAPI document describes these."""

from warpcore.services.api.views._alarms import AlarmView
from warpcore.services.api.views._events import event_view
from warpcore.services.api.views._exports import JobsView, JobView
from warpcore.services.api.views._movies import ItemsPage, ItemView, MovieView
from warpcore.services.api.views._naming import View, camel, camel_keys, snake
from warpcore.services.api.views._session import HealthView, SettingsEffectView, StatusView, SummaryView, TimestampView
from warpcore.services.api.views._workers import LogsView, WorkersView, WorkerView

__all__ = [
    "AlarmView",
    "HealthView",
    "ItemView",
    "ItemsPage",
    "JobView",
    "JobsView",
    "LogsView",
    "MovieView",
    "SettingsEffectView",
    "StatusView",
    "SummaryView",
    "TimestampView",
    "View",
    "WorkerView",
    "WorkersView",
    "camel",
    "camel_keys",
    "event_view",
    "snake",
]
