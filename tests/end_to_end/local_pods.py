"""Pods of the manifests as processes of this host: their own commands, variables, volumes and probes.

Each volume is a folder, the name of the scheduler's Service is the loopback, and ports are free ones. As root, a
process sees the host's root file system read-only, but for its volumes.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import httpx
from manifests import Document, arguments, variables

PORT_VARIABLES = {
    "workers": "WARPCORE_CONTROLLER_PORT",
    "control": "WARPCORE_CONTROL_PORT",
    "events-in": "WARPCORE_EVENTS_IN_PORT",
    "events-out": "WARPCORE_EVENTS_OUT_PORT",
    "http": "WARPCORE_PORT",
}
"""Names of ports in the manifests, and the variables by which they are others here."""


class LocalPod:
    """One pod: its first containers run one after the other, then its service in their place."""

    def __init__(self, name: str, pod: Document, folder: Path, ports: dict[str, int]) -> None:
        self.name, self._pod, self._folder, self._ports = name, pod, folder, ports
        (self.container,) = pod["containers"]
        self.log = folder / f"{name}.log"
        steps = [self._shell(one) for one in pod.get("initContainers", [])]
        script = "\n".join([*self._read_only_root(), *(f"({one}) || exit" for one in steps)])
        script += f"\nexec {self._shell(self.container)}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*_own_mounts(), "bash", "-c", script], stdout=log, stderr=log, start_new_session=True
            )

    def is_ready(self, probe: str = "startupProbe") -> bool:
        """Whether a probe of the container succeeds."""
        assert self.process.poll() is None, f"{self.name} ended:\n{self.log.read_text()}"
        wanted = self.container[probe]
        if "exec" in wanted:
            return self.run(*wanted["exec"]["command"]).returncode == 0
        if "tcpSocket" in wanted:
            with socket.socket() as asking:
                return asking.connect_ex(("127.0.0.1", self._ports[wanted["tcpSocket"]["port"]])) == 0
        url = f"http://127.0.0.1:{self._ports[wanted['httpGet']['port']]}{wanted['httpGet']['path']}"
        try:
            return httpx.get(url, timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container, as `kubectl exec` does."""
        words = [self._here(one) for one in command]
        return subprocess.run(words, env=self._environment(self.container), capture_output=True, text=True, check=False)

    def end(self) -> None:
        """TERM, as when the pod is deleted. It must end in good order and in its grace."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(self._pod["terminationGracePeriodSeconds"])
        assert status == 0, f"{self.name} ended with {status}:\n{self.log.read_text()}"

    def close(self) -> None:
        """KILL to what is left of it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _shell(self, container: Document) -> str:
        command = container.get("command", ["warpcore"]) + arguments(container)
        environment = [f"{name}={value}" for name, value in self._environment(container).items()]
        return shlex.join(["env", "-i", *environment, *(self._here(one) for one in command)])

    def _environment(self, container: Document) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        ports = {PORT_VARIABLES[name]: str(port) for name, port in self._ports.items()}
        given = {name: self._here(value) for name, value in variables(container).items()}
        return {"PATH": path, "HOME": "/nonexistent", "TMPDIR": self._here("/tmp"), **ports, **given}

    def _here(self, text: str) -> str:
        """A text of the manifest with this host's paths and addresses."""
        folders = {mount["mountPath"]: str(self._volume(mount)) for mount in self.container["volumeMounts"]}
        text = re.sub(rf"(?<![\w/.-])({'|'.join(folders)})\b", lambda found: folders[found[1]], text)
        return text.replace("--scheduler=warpcore-scheduler", "--scheduler=127.0.0.1")

    def _volume(self, mount: Document) -> Path:
        """The folder of a volume: shared where it is claimed, else the pod's own."""
        (volume,) = [one for one in self._pod["volumes"] if one["name"] == mount["name"]]
        path = self._folder / (mount["name"] if "persistentVolumeClaim" in volume else f"{self.name}-{mount['name']}")
        path.mkdir(exist_ok=True)
        return path

    def _read_only_root(self) -> Iterable[str]:
        if not _own_mounts():
            return
        for mount in self.container["volumeMounts"]:
            path = shlex.quote(str(self._volume(mount)))
            yield f"mount --bind {path} {path} || exit"
            if mount.get("readOnly"):
                yield f"mount -o remount,bind,ro {path} || exit"
        for path in {"/", _mount_point(self._folder)}:
            yield f"mount -o remount,bind,ro {path} || exit"


def _own_mounts() -> list[str]:
    """What runs a command with mounts of its own, where this user may have them."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        return []
    return ["unshare", "--mount", "--propagation", "private"]


def _mount_point(path: Path) -> str:
    return str(next(one for one in (path, *path.parents) if one.is_mount()))
