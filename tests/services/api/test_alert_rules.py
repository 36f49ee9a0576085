"""When the example alert rules come, as Prometheus itself finds by `promtool test rules`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(__file__).parents[3] / "deploy" / "monitoring" / "prometheus-alerts.yml"
QUEUED, REGISTERED = 'warpcore_pool_jobs{pool="gpu",state="queued"}', 'warpcore_pool_workers_registered{pool="gpu"}'
WAITING, LEFT = "warpcore_movies_waiting", "warpcore_movies_left"
IDLE, BUSY = 'warpcore_workers{state="idle"}', 'warpcore_workers{state="busy"}'
OTHERS = 'warpcore_pool_workers_registered{pool="big"}'
NODES = "movies wait, and pool gpu has got no node for 30 min; 4 jobs are queued"


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return found


def finds(promtool: str, folder: Path, alert: str, minutes: int, values: dict[str, float], expected: list[Any]) -> None:
    """After so many minutes of these values an alert is as expected."""
    series = [{"series": name, "values": f"{value}x{minutes}"} for name, value in values.items()]
    seen = {"eval_time": f"{minutes}m", "alertname": alert, "exp_alerts": expected}
    test = {"interval": "1m", "input_series": series, "alert_rule_test": [seen]}
    (folder / "test.yml").write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [test]}))
    done = subprocess.run([promtool, "test", "rules", str(folder / "test.yml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("values", "comes"),
    [
        ({QUEUED: 4, REGISTERED: 0, WAITING: 9}, True),
        ({QUEUED: 4, REGISTERED: 0, WAITING: 9, OTHERS: 2}, True),
        ({QUEUED: 4, REGISTERED: 4, WAITING: 9}, False),  # a site that allows fewer jobs than the pool wants
        ({QUEUED: 4, REGISTERED: 0, WAITING: 0}, False),  # those that are kept while no movie comes
        ({QUEUED: 0, REGISTERED: 0, WAITING: 9}, False),
    ],
)
def test_a_pool_that_gets_no_node_is_told_where_movies_wait_for_it(
    promtool: str, tmp_path: Path, values: dict[str, float], comes: bool
) -> None:
    labels = {"pool": "gpu", "state": "queued", "severity": "warning"}
    expected = [{"exp_labels": labels, "exp_annotations": {"summary": NODES}}] if comes else []
    finds(promtool, tmp_path, "WarpcorePoolWaitsForNodes", 31, values, expected)
    finds(promtool, tmp_path, "WarpcorePoolWaitsForNodes", 29, values, [])


@pytest.mark.parametrize(
    ("values", "comes"),
    [
        ({WAITING: 3, LEFT: 3, IDLE: 0, BUSY: 0}, True),
        ({WAITING: 3, LEFT: 0, IDLE: 0, BUSY: 0, QUEUED: 0}, True),  # an export, or a try
        ({WAITING: 3, LEFT: 3, IDLE: 0, BUSY: 1}, False),
        ({WAITING: 0, LEFT: 3, IDLE: 0, BUSY: 0}, False),  # the session is paused, or holds
        ({WAITING: 3, LEFT: 3, IDLE: 0, BUSY: 0, QUEUED: 2}, False),  # another alert tells of those after 30 min
    ],
)
def test_that_no_worker_runs_is_told_where_movies_could_be_given_to_one(
    promtool: str, tmp_path: Path, values: dict[str, float], comes: bool
) -> None:
    summary = {"summary": "3 movies wait and no worker runs"}
    expected = [{"exp_labels": {"severity": "critical"}, "exp_annotations": summary}] if comes else []
    finds(promtool, tmp_path, "WarpcoreNoWorker", 6, values, expected)
