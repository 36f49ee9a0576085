"""What REST shows, as types: camelCase names, times as ISO 8601 in UTC. The OpenAPI document describes these."""

from warpcore.bus.schema import prepare_for_threads
from warpcore.services.api.views._access import LinkView, NewLinkView, SignedInView
from warpcore.services.api.views._alarms import AlarmView
from warpcore.services.api.views._audit import AuditEntryView, AuditView
from warpcore.services.api.views._columns import ColumnView
from warpcore.services.api.views._events import event_view
from warpcore.services.api.views._exports import JobsView, JobView
from warpcore.services.api.views._movies import EventLease, EventStep, EventWorker, ItemsPage, ItemView, MovieView
from warpcore.services.api.views._naming import Count, Time, View, camel, utc
from warpcore.services.api.views._own_sessions import OtherSessionView, SessionsView
from warpcore.services.api.views._pictures import File, Index, Picture
from warpcore.services.api.views._places import (
    GroupView,
    HoleView,
    MediansView,
    PlaceView,
    SquaresView,
    SquareView,
)
from warpcore.services.api.views._plots import CtfFit, Curves, DefocusSurface, Edits, HandPicks, Picks, Tracks
from warpcore.services.api.views._pools import PoolsView, PoolView
from warpcore.services.api.views._profiles import ProfilesView, ProfileView, RevisionView
from warpcore.services.api.views._results import results_schemas
from warpcore.services.api.views._selection import (
    ForgottenView,
    RefusedMovie,
    RetriedView,
    SelectedView,
    SelectionChangesView,
    SelectionChangeView,
    UndoneView,
)
from warpcore.services.api.views._session import (
    HealthView,
    LiveView,
    SettingsEffectView,
    StatusView,
    SummaryView,
    TimestampView,
)
from warpcore.services.api.views._storage import DiskView, SessionFile
from warpcore.services.api.views._tries import TriesView, TryView
from warpcore.services.api.views._workers import LogsView, WorkersView, WorkerView

__all__ = [
    "AlarmView",
    "AuditEntryView",
    "AuditView",
    "ColumnView",
    "Count",
    "CtfFit",
    "Curves",
    "DefocusSurface",
    "DiskView",
    "Edits",
    "EventLease",
    "EventStep",
    "EventWorker",
    "File",
    "ForgottenView",
    "GroupView",
    "HandPicks",
    "HealthView",
    "HoleView",
    "Index",
    "ItemView",
    "ItemsPage",
    "JobView",
    "JobsView",
    "LinkView",
    "LiveView",
    "LogsView",
    "MediansView",
    "MovieView",
    "NewLinkView",
    "OtherSessionView",
    "Picks",
    "Picture",
    "PlaceView",
    "PoolView",
    "PoolsView",
    "ProfileView",
    "ProfilesView",
    "RefusedMovie",
    "RetriedView",
    "RevisionView",
    "SelectedView",
    "SelectionChangeView",
    "SelectionChangesView",
    "SessionFile",
    "SessionsView",
    "SettingsEffectView",
    "SignedInView",
    "SquareView",
    "SquaresView",
    "StatusView",
    "SummaryView",
    "Time",
    "TimestampView",
    "Tracks",
    "TriesView",
    "TryView",
    "UndoneView",
    "View",
    "WorkerView",
    "WorkersView",
    "camel",
    "event_view",
    "results_schemas",
    "utc",
]

prepare_for_threads(View)
