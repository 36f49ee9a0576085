"""Pools of workers over REST."""

from __future__ import annotations

from msgspec.structs import replace

from tests.services.api.rest_session import Api, problem
from warpcore.bus.messages import ReportPool

REPORT = ReportPool("gpu", "slurm", 0, 4, 3, 1, 2, 5, problems=["QOS limit"], log=["no CUDA device"])


def test_a_pool_is_shown_and_its_limits_are_set_and_written_into_the_audit_log(api: Api) -> None:
    api.control.request(REPORT)
    (pool,) = api.http.get("/api/pools").json()["pools"]
    assert (pool["minimum"], pool["maximum"], pool["revision"], pool["takenOver"]) == (0, 4, 0, True)
    assert (pool["submittedLastHour"], pool["problems"], pool["log"]) == (5, ["QOS limit"], ["no CUDA device"])
    changed = api.http.patch("/api/pools/gpu", json={"maximum": 8, "by": "ada"}).raise_for_status().json()
    assert (changed["minimum"], changed["maximum"], changed["takenOver"]) == (0, 8, False)
    limits = api.control.request(REPORT)
    assert (limits.maximum, limits.resume) == (8, False)
    api.http.patch("/api/pools/gpu", json={"resume": True, "minimum": None}).raise_for_status()
    assert api.control.request(REPORT).resume
    written = api.http.get("/api/audit", params={"action": "pool"}).json()["entries"]
    assert [(one["by"], one["detail"]) for one in written] == [
        ("", "pool gpu may have 0 to 8 workers, and resumes"),
        ("ada", "pool gpu may have 0 to 8 workers"),
    ]
    (told,) = api.http.get("/api/processing/status").json()["pools"]
    assert told.endswith("0 to 8 allowed; jobs: 2 running, 1 queued; QOS limit")
    api.control.request(replace(REPORT, ends=True))
    assert api.http.get("/api/pools").json() == {"pools": []}


def test_impossible_limits_and_unknown_pools_are_refused(api: Api) -> None:
    api.control.request(REPORT)
    for body in ({}, {"minimum": 9, "maximum": 8}, {"maximum": -1}, {"maximum": 10**6}, {"most": 3}):
        problem(api.http.patch("/api/pools/gpu", json=body), 422)
    problem(api.http.patch("/api/pools/other", json={"maximum": 1}), 404)
    problem(api.http.patch("/api/pools/.x", json={"maximum": 1}), 404)
    api.control.request(replace(REPORT, ends=True))
