"""A Slurm of one node for tests: munged, slurmctld and slurmd of Debian, on the loopback, in a folder of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from tests.waiting import wait_until

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
START_S = 30.0
CPUS = 16
"""More than the host has: jobs of tests wait most of their time."""


def missing() -> str:
    """Why no Slurm can be set up here; empty where one can."""
    if os.geteuid() != 0:
        return "slurmd needs root"
    absent = [name for name in NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)} (Debian: slurmctld, slurmd, slurm-client, munge)" if absent else ""


class SlurmSite:
    """A running Slurm. Give `environment` to whatever calls its commands."""

    def __init__(self, folder: Path, ports: Sequence[int], max_time_min: int = 60) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        for name in ("state", "spool", "munge"):
            (folder / name).mkdir(parents=True)
        folder.chmod(0o755)
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o400)
        (folder / "slurm.conf").write_text(self._configuration(ports, max_time_min))
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        self.start_all()
        self._wait(lambda: "idle" in (self.ask("sinfo", "--noheader", "--format=%T") or ""), "an idle node")

    # --- its daemons --------------------------------------------------------------------------------------------------

    def start_all(self) -> None:
        """Start what does not run, and wait until jobs can be asked for."""
        for name in ("munged", "slurmctld", "slurmd"):
            self.start(name)
        self._wait(lambda: self.ask("squeue", "--noheader") is not None, "an answer of slurmctld")

    def start(self, name: str) -> None:
        """Start one daemon, unless it runs."""
        running = self._processes.get(name)
        if running is not None and running.poll() is None:
            return
        munge = self._folder / "munge"
        files = [("key", self._folder / "munge.key"), ("socket", munge / "socket"), ("pid", munge / "pid")]
        files += [("log", munge / "log"), ("seed", munge / "seed")]
        commands: dict[str, list[str]] = {
            "munged": ["munged", "--foreground", "--force", "--num-threads=1"]
            + [f"--{what}{'' if what == 'socket' else '-file'}={path}" for what, path in files],
            "slurmctld": ["slurmctld", "-D", "-i"],
            "slurmd": ["slurmd", "-D", "-N", socket.gethostname().partition(".")[0]],
        }
        with (self._folder / f"{name}.out").open("ab") as out:
            self._processes[name] = subprocess.Popen(
                commands[name], env=self.environment, stdout=out, stderr=out, start_new_session=True
            )
        if name == "munged":
            self._wait((munge / "socket").exists, "munged's socket")

    def kill(self, name: str) -> None:
        """kill -9 of one daemon; jobs of a killed slurmd go on."""
        self._processes[name].kill()
        self._processes[name].wait()

    def close(self) -> None:
        """Cancel all jobs, end all daemons, and whatever of the jobs is left."""
        self.start_all()
        self.run("scancel", "--full", "--user", "root")
        try:
            self._wait(lambda: not self.jobs(), "an end of all jobs")
        finally:
            for process in reversed(self._processes.values()):
                left = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                for child in left:
                    if child.is_running():
                        child.kill()

    # --- its commands -------------------------------------------------------------------------------------------------

    def run(self, *command: str) -> str:
        """Run a command of Slurm; what it prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.told()}"
        return done.stdout

    def ask(self, *command: str) -> str | None:
        """What a command of Slurm prints; None where it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else None

    def jobs(self) -> dict[str, str]:
        """State of each job that has not ended, by its id."""
        lines = self.run("squeue", "--noheader", "--format=%i %T").splitlines()
        return {line.split()[0]: line.split()[1] for line in lines}

    def running(self) -> int | None:
        """How many jobs run; None where slurmctld does not answer."""
        told = self.ask("squeue", "--noheader", "--states=running", "--format=%i")
        return None if told is None else len(told.split())

    @property
    def node(self) -> str:
        """The name of the node."""
        return self.run("sinfo", "--noheader", "--format=%n").strip()

    def looks(self) -> int:
        """How often somebody has looked at the queue, as slurmctld counts it."""
        found = re.search(r"REQUEST_JOB_INFO\S*\s*\(.*?count:(\d+)", self.run("sdiag"))
        return int(found.group(1)) if found is not None else 0

    def told(self) -> str:
        """The last lines of all logs."""
        logs = [*self._folder.glob("*.log"), *self._folder.glob("*.out"), self._folder / "munge" / "log"]
        lines = [f"{log.name}: {line}" for log in logs if log.exists() for line in log.read_text().splitlines()[-15:]]
        return "\n".join(lines)

    def _wait(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, START_S, lambda: f"{self.told()}\n{what}")

    def _configuration(self, ports: Sequence[int], max_time_min: int) -> str:
        host, here = socket.gethostname().partition(".")[0], self._folder
        return f"""
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={here}/munge/socket
CredType=cred/munge
StateSaveLocation={here}/state
SlurmdSpoolDir={here}/spool
SlurmctldPidFile={here}/slurmctld.pid
SlurmdPidFile={here}/slurmd.pid
SlurmctldLogFile={here}/slurmctld.log
SlurmdLogFile={here}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=100000
EnforcePartLimits=ALL
MailProg=/bin/true
ReturnToService=2
KillWait=5
SlurmctldTimeout=10
SlurmdTimeout=30
MinJobAge=10
MpiDefault=none
PropagateResourceLimits=NONE
JobRequeue=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={CPUS} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime={max_time_min} State=UP
"""
