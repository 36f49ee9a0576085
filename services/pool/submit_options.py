"""What a job asks for as options of sbatch, qsub and bsub, where psij's scripts leave it out, and of `flux submit`.

psij 0.9.11 names no job. It asks PBS for one core, whatever is wanted, and for no GPU, and LSF for one slot, by lines
that bsub reads only where LSB_BSUB_PARSE_SCRIPT is set. Options take the place of a script's lines in all three.
Of Flux no script says anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from warpcore.services.pool.configuration import Configuration, Executor


def submit_options(configuration: Configuration, name: str) -> list[str]:
    """Options for one job, the site's `attributes` among them, which take the place of equal ones.

    For PBS, an `l` of the site is added to ours, and takes its place where it has a `select`.
    """
    match configuration.executor:
        case Executor.SLURM:
            return _long({"job-name": name, **configuration.attributes})
        case Executor.PBS:
            return _words({"N": name, "r": "n", **configuration.attributes, "l": _chunk(configuration)})
        case Executor.LSF:
            return _words({"J": name, **_lsf(configuration), **configuration.attributes})
        case Executor.FLUX:
            return _long({"job-name": name, **_flux(configuration), **configuration.attributes})
        case _:
            return []


def _long(options: Mapping[str, str]) -> list[str]:
    return [f"--{option}={value}" for option, value in options.items()]


def _words(options: Mapping[str, str]) -> list[str]:
    return [word for option, value in options.items() for word in (f"-{option}", value)]


def _chunk(configuration: Configuration) -> str:
    """Of two `select` only one counts. A job is not to be rerun (`-r n`): the pool has replaced it by then."""
    chunk = f"select=1:ncpus={configuration.cpus}"
    chunk += f":ngpus={configuration.gpus}" if configuration.gpus else ""
    chunk += f":mem={round(configuration.memory_gb * 1024)}mb" if configuration.memory_gb else ""
    own = configuration.attributes.get("l", "")
    return own if re.search(r"(^|,)select=", own) else ",".join(filter(None, (chunk, own)))


def _lsf(configuration: Configuration) -> dict[str, str]:
    """Slots of one host, GPUs of the job as a whole, and what is in psij's script, too."""
    asked = {"n": str(configuration.cpus), "R": "span[hosts=1]", "W": str(round(configuration.wall_time_min))}
    asked |= {"gpu": f"num={configuration.gpus}"} if configuration.gpus else {}
    asked |= {"M": f"{round(configuration.memory_gb * 1024)}MB"} if configuration.memory_gb else {}
    asked |= {"q": configuration.queue} if configuration.queue else {}
    asked |= {"P": configuration.account} if configuration.account else {}
    return {**asked, "o": "/dev/null", "e": "/dev/null"}


def _flux(configuration: Configuration) -> dict[str, str]:
    """One task on its cores and GPUs. Flux knows no memory that could be asked for.

    When a job's time is over Flux sends SIGALRM, at which a worker would just die; so it is asked for SIGTERM before.
    """
    asked = {"ntasks": "1", "cores-per-task": str(configuration.cpus)}
    asked |= {"gpus-per-task": str(configuration.gpus)} if configuration.gpus else {}
    asked |= {"queue": configuration.queue} if configuration.queue else {}
    asked |= {"bank": configuration.account} if configuration.account else {}
    return {**asked, "time-limit": f"{configuration.wall_time_min * 60:.0f}s", "signal": "TERM@20s"}
