"""Asks the scheduler what it is, for `warpcore check`."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.messages import GetHealth, Health
from warpcore.bus.vocabulary import Role
from warpcore.cli.host.facts import SchedulerFacts
from warpcore.cli.own_keys import key_file_for
from warpcore.services.access.keys import read_key
from warpcore.services.access.private import AccessError

PATIENCE_S = 3.0


def ask_scheduler(
    endpoints: Endpoints, given: Path | None, *, is_expected: bool, wall: Callable[[], float] = time.time
) -> tuple[SchedulerFacts, float | None, float]:
    """What the scheduler says, by how much its clock is ahead of `wall` (None where it is silent), how uncertain (s).

    With the key of a worker it is asked at the port for workers, the only one that such a key opens.
    """
    facts = SchedulerFacts(endpoints.control, is_expected)
    try:
        file = key_file_for(given, endpoints.host, endpoints.control_port, Role.OPERATOR)
        key = read_key(file) if file is not None else None
    except (AccessError, OSError) as error:
        return replace(facts, key_problem=str(error)), None, 0.0
    if key is not None:
        facts = replace(facts, key=f"{file} is that of {key.holder.name} ({key.holder.sender})")
        if key.holder.role is Role.WORKER:
            facts = replace(facts, endpoint=endpoints.workers)
    if unreached := _why_unreached(facts.endpoint):
        return replace(facts, problem=unreached), None, 0.0
    with RequestClient(facts.endpoint, "cli", timeout_s=PATIENCE_S, attempts=1, key=key) as asking:
        before = wall()
        try:
            answer = asking.request(GetHealth())
            version = answer.versions.get("warpcore", "") if isinstance(answer, Health) else ""
            facts = replace(facts, version=version)
        except RefusedError as error:
            facts = replace(facts, refusal=str(error))
        except NoAnswerError as error:
            return replace(facts, problem=str(error)), None, 0.0
        after, sent = wall(), asking.answered_ts
    return facts, None if sent is None else sent - (before + after) / 2, (after - before) / 2


def _why_unreached(endpoint: str) -> str:
    """Why no connection comes about, "" where one does: sooner and clearer than silence."""
    where = urlsplit(endpoint)
    try:
        socket.create_connection((where.hostname or "", where.port or 0), timeout=PATIENCE_S).close()
    except ConnectionRefusedError:
        return f"nothing listens at {endpoint}"
    except TimeoutError:
        return f"{endpoint} takes no connection within {PATIENCE_S:g} s: is a firewall between, or the host off?"
    except OSError as error:
        return f"{endpoint} cannot be reached: {error.strerror or error}"
    return ""
