"""Workers and their pools, and the people of a session."""

from __future__ import annotations

from warpcore.services.api.views import (
    AuditView,
    LinkView,
    LogsView,
    NewLinkView,
    PoolsView,
    PoolView,
    SessionsView,
    SignedInView,
    WorkersView,
    WorkerView,
)
from warpcore.services.client._requests import Requests, given, part


class WorkersAndPeople(Requests):
    """The part of a session's client that is about who works for it, and who may see and change it."""

    def workers(self) -> list[WorkerView]:
        """All workers with their load."""
        return self._get("/api/workers", WorkersView).workers

    def worker_log(self, worker: str, after: int = 0, limit: int | None = None) -> LogsView:
        """A worker's last log lines, or those that follow line `after`; oldest first."""
        return self._get(f"/api/workers/{part(worker)}/logs", LogsView, {"after": after, "limit": limit})

    def pools(self) -> list[PoolView]:
        """The pools that report: limits, workers, jobs, and what is wrong."""
        return self._get("/api/pools", PoolsView).pools

    def set_pool(
        self, pool: str, *, minimum: int | None = None, maximum: int | None = None, resume: bool = False, by: str = ""
    ) -> PoolView:
        """Set how many workers a pool may have, or let one that has stopped submit again; None: as it is."""
        body = given({"minimum": minimum, "maximum": maximum, "resume": resume, "by": by})
        return self._send("PATCH", f"/api/pools/{part(pool)}", body, PoolView)

    def audit(self, user: str = "", action: str = "", before: int | None = None, limit: int | None = None) -> AuditView:
        """Who changed what when, the newest first; `next_before` of the answer is `before` of the next page."""
        return self._get("/api/audit", AuditView, {"user": user, "action": action, "before": before, "limit": limit})

    def signed_in(self) -> SignedInView:
        """Who sends these requests, and what they may do."""
        return self._get("/api/sign-in", SignedInView)

    def links(self) -> list[LinkView]:
        """The viewer links that hold."""
        return self._get("/api/links", list[LinkView])

    def make_link(self, name: str, days: float = 7.0, browsers: int = 1) -> NewLinkView:
        """Make a link by which someone else sees this session, and changes nothing, for so many days."""
        body = {"name": name, "days": days, "browsers": browsers}
        return self._send("POST", "/api/links", body, NewLinkView)

    def revoke_link(self, name: str) -> None:
        """Revoke a viewer link: the browsers that it has signed in see nothing more."""
        self._http.send("DELETE", f"/api/links/{part(name)}")

    def sessions(self) -> SessionsView:
        """This session's name, and the pages of its user's others on this host."""
        return self._get("/api/sessions", SessionsView)
