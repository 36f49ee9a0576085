"""A session of the pods that the manifests describe: keys, probes, backlog for KEDA, and the end of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from local_pods import PORT_VARIABLES, LocalPod
from manifests import documents, of_kind, pods
from movies_for_tests import write_movie

DOCUMENTS = documents()
TRIGGER = next(iter(of_kind(DOCUMENTS, "ScaledObject").values()))["spec"]["triggers"][0]["metadata"]
Wait = Callable[..., None]


class Cluster:
    """Pods by name, and where KEDA's question is answered."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self._folder, self._ports = folder, ports
        self.pods: dict[str, LocalPod] = {}

    def start(self, name: str) -> LocalPod:
        """Create a pod."""
        self.pods[name] = LocalPod(name, pods(DOCUMENTS)[name], self._folder, self._ports)
        return self.pods[name]

    def warpcore(self, pod: str, *words: str) -> str:
        """What a command of ours prints in a pod."""
        done = self.pods[pod].run("warpcore", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answer_to_keda(self, token: str) -> httpx.Response:
        """What KEDA gets for the question of the manifest."""
        url = httpx.URL(TRIGGER["url"])
        headers = {"Authorization": f"Bearer {token}", "Host": f"{url.host}:{url.port}"}
        return httpx.get(f"http://127.0.0.1:{self._ports['http']}{url.path}", headers=headers, timeout=60)

    def backlog(self, token: str) -> Any:
        """The number by which KEDA scales."""
        return self.answer_to_keda(token).raise_for_status().json()[TRIGGER["valueLocation"]]


@pytest.fixture
def cluster(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Iterator[Cluster]:
    ports = dict(zip(PORT_VARIABLES, free_ports(len(PORT_VARIABLES)), strict=True))
    made = Cluster(tmp_path, ports)
    yield made
    for pod in made.pods.values():
        pod.close()


@pytest.mark.slow
def test_pods_find_their_keys_and_are_ready_scale_by_the_backlog_and_end_in_their_grace(
    cluster: Cluster, tmp_path: Path, wait_until: Wait
) -> None:
    for name in ("worker", "api", "discoverer", "tracker", "scheduler"):  # the keys come last: all others wait
        cluster.start(name)
    for name, pod in cluster.pods.items():
        wait_until(pod.is_ready, 60, f"{name} is ready")
        assert pod.is_ready("livenessProbe")
    for command in ("settings set import.pixel_size=1", "pause"):
        cluster.warpcore("scheduler", *command.split())
    rng = np.random.default_rng(0)
    write_movie(tmp_path / "data" / "movie.tif", rng.poisson(5, (4, 256, 256)).astype(np.uint8))
    token = cluster.warpcore("api", "tokens", "add", "keda", "--role", "view", "--expires", "never").strip()
    wait_until(lambda: cluster.answer_to_keda(token).json().get("itemsLeft") == 1, 30, "the movie is found")
    assert cluster.backlog(token) == 0  # nobody is needed while the session is paused
    assert cluster.answer_to_keda("wrong").status_code == 401
    cluster.warpcore("scheduler", "start")
    wait_until(lambda: cluster.answer_to_keda(token).json()["running"], 30, "the worker has the movie")
    assert cluster.backlog(token) == 1
    cluster.pods["worker"].end()
    assert cluster.answer_to_keda(token).json()["running"] == []  # given back, not lost after 30 s of silence
    for name in ("tracker", "discoverer", "api", "scheduler"):
        cluster.pods[name].end()
