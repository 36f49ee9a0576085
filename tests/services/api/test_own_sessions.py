"""`/api/sessions`: a page finds its user's other sessions, and a viewer of one finds none."""

from __future__ import annotations

from warpcore.services.access.credentials import TokenRole
from warpcore.services.access.sessions import OwnSession, SessionPorts, own_instance
from warpcore.services.api.access.rules import needed_role
from warpcore.services.api.own_sessions import others


def session(name: str, rest: int, scheme: str = "http") -> OwnSession:
    ports = SessionPorts(rest, 2, 3, 4, 5)
    return OwnSession(name, own_instance(), "/out", "/data", "127.0.0.1", ports, page=f"{scheme}://127.0.0.1:{rest}")


def test_the_others_are_told_with_what_leads_to_their_pages_and_nothing_else() -> None:
    told = others("krios1", [session("krios1", 5000), session("krios2", 5001), session("glacios", 5002, "https")])
    assert told.name == "krios1"
    assert [(one.name, one.port, one.is_secure) for one in told.others] == [
        ("krios2", 5001, False),
        ("glacios", 5002, True),
    ]


def test_who_may_see_one_session_alone_is_told_of_no_other() -> None:
    assert needed_role("GET", "/api/sessions") is TokenRole.OPERATE
    assert needed_role("GET", "/api/sessions/") is TokenRole.OPERATE
