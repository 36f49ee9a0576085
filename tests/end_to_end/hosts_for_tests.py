"""Hosts on one machine: each has a network, mounts and a name of its own, and a cable to one switch.

Nothing of them is left in the machine's own network: the kernel takes all away once their processes have ended, which
they do with the test, however it ends.

As a program (`python hosts_for_tests.py SOCKET HOST PORT`) it passes connections to a Unix socket on to a port of the
network that it runs in, so that the test itself, which is on no host, can speak HTTP with one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

NETWORK = "10.77.0"
TOOLS = ("ip", "unshare", "nsenter", "mount")
_MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
WHY_NOT = f"no {' and no '.join(_MISSING)} here" if _MISSING else "" if os.geteuid() == 0 else "hosts need root"

needs_hosts = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


class Namespace:
    """A network, mounts and a host name, held by a process that ends with this one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--uts", "sh", "-c", 'hostname "$0"; exec cat', name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            self._holder.stdin.write(b"ready\n")
            self._holder.stdin.flush()
        if not self._holder.stdout.readline():
            pytest.skip(f"no host can be made here: {self._holder.stderr.read().decode().strip()}")

    @property
    def pid(self) -> int:
        """Of the process that holds it."""
        return self._holder.pid

    def inside(self, *command: str, mounts: bool = True) -> list[str]:
        """The command that runs `command` there; without `mounts` it sees this machine's own files."""
        namespaces = ["--net", "--uts", *(["--mount"] if mounts else [])]
        return ["nsenter", "--target", str(self.pid), *namespaces, "--", *command]

    def ip(self, *commands: str) -> None:
        """Carry out commands of `ip`."""
        batch = self.inside("ip", "-batch", "-")
        done = subprocess.run(batch, input="\n".join(commands), capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no network can be made here: {done.stderr.strip()}")

    def close(self) -> None:
        """End the holder; the namespaces go with the last process in them."""
        self._holder.kill()
        self._holder.communicate()


class Host(Namespace):
    """One host, with an address on the switch. Its cable is plugged in."""

    def __init__(self, name: str, number: int, switch: Namespace, logs: Path) -> None:
        super().__init__(name)
        self.address = f"{NETWORK}.{number}"
        self._port, self._switch = f"port{number}", switch
        self._logs = logs
        self._processes: list[subprocess.Popen[bytes]] = []
        switch.ip(
            f"link add {self._port} type veth peer name eth0 netns {self.pid}",
            f"link set {self._port} master bridge up",
        )
        self.ip(f"addr add {self.address}/24 dev eth0", "link set eth0 up", "link set lo up")

    def cut_cable(self) -> None:
        """From now on nothing comes in or goes out; nobody is told that a connection has ended."""
        self._switch.ip(f"link set {self._port} down")

    def plug_in_cable(self) -> None:
        """Undo `cut_cable`."""
        self._switch.ip(f"link set {self._port} up")

    def sees_elsewhere(self, there: Path, here: Path) -> None:
        """The folder `there` of all hosts lies at `here` on this one, and `there` is empty."""
        here.mkdir(parents=True, exist_ok=True)
        script = 'mount --bind "$1" "$2" && mount -t tmpfs tmpfs "$1"'
        self.run("sh", "-c", script, "sh", str(there), str(here)).check_returncode()

    def run(self, *command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        inside = self.inside(*command)
        return subprocess.run(inside, capture_output=True, text=True, timeout=timeout, check=False)

    def start(self, name: str, *command: str, mounts: bool = True) -> subprocess.Popen[bytes]:
        """Start a command, which ends with this host; `log(name)` is what it prints."""
        with self._log(name).open("ab") as log:
            inside = self.inside(*command, mounts=mounts)
            process = subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._processes.append(process)
        return process

    def log(self, name: str) -> str:
        """What the commands of this name have printed."""
        path = self._log(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def pass_on(self, socket: Path, host: str, port: int) -> None:
        """Let connections to a Unix socket of this machine come out of this host."""
        self.start("pass_on", sys.executable, __file__, str(socket), host, str(port), mounts=False)
        deadline = time.monotonic() + 60
        while not socket.exists():
            assert time.monotonic() < deadline, self.log("pass_on")
            time.sleep(0.02)

    def close(self) -> None:
        """End all that was started there, and the host."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it has left behind, too
            process.wait()
        super().close()

    def _log(self, name: str) -> Path:
        return self._logs / f"{self.name}.{name}.log"


@contextmanager
def hosts(names: Sequence[str], logs: Path) -> Iterator[dict[str, Host]]:
    """Hosts by name, joined by a switch; their logs lie in the folder `logs`."""
    logs.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as made:
        switch = Namespace("switch")
        made.callback(switch.close)
        switch.ip("link add bridge type bridge", "link set bridge up")
        found: dict[str, Host] = {}
        for number, name in enumerate(names, 1):
            found[name] = Host(name, number, switch, logs)
            made.callback(found[name].close)
        yield found


async def _pass_on(socket: str, host: str, port: int) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async with await asyncio.start_unix_server(connected, socket) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_pass_on(sys.argv[1], sys.argv[2], int(sys.argv[3])))
