"""Slurm, PBS, LSF and this host through psij-python (the extra `warpcore[pool]`), which knows their scripts.

psij's own thread reports every job as failed once its status command has failed twice, or says nothing of a job. So
queues are asked here (`queues`), and a failure is told as what it is. What a job asks for is said here, too, where
psij's scripts do not say it (`submit_options`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from warpcore.services.pool.batch import BatchFault, Listing, RefusedError, Request, not_taken, run, words
from warpcore.services.pool.configuration import Configuration, ConfigurationError
from warpcore.services.pool.jobs import QueueState
from warpcore.services.pool.queues import PBS_GONE, QUEUES
from warpcore.services.pool.submit_options import submit_options

NEVER_S = 365 * 24 * 3600
"""How often psij's own thread asks: a failing answer would make it report all jobs as failed."""

NATIVE_ID = re.compile(r"\d+(\.\S+)?")
"""What sbatch, qsub and bsub call a job: `17`, or `17.host`."""


def psij_batch(configuration: Configuration, folder: Path) -> PsijQueue | PsijJobs:
    """The batch system that the configuration names. Raises ConfigurationError.

    All files of psij lie in `folder`, so that a home that is read-only, or that nodes do not have, does no harm.
    """
    logging.getLogger("psij").setLevel(logging.WARNING)  # it tells each job and each file
    try:
        import psij
        from psij.executors.batch.batch_scheduler_executor import BatchSchedulerExecutor
    except ImportError:
        missing = f"executor {configuration.executor} needs psij-python: pip install 'warpcore[pool]'"
        raise ConfigurationError(missing) from None
    except RuntimeError as error:  # psij wants to know the home of this user as it is imported
        raise ConfigurationError(f"psij-python cannot be used: {words(str(error))} Set HOME") from None
    name = str(configuration.executor)
    try:
        # The launcher of jobs lies in its folder, too, which nodes see; by itself psij writes it to the user's home.
        executor: Any = psij.JobExecutor.get_instance(name, config=psij.JobExecutorConfig(work_directory=folder))
    except (ValueError, ImportError, OSError) as error:
        raise ConfigurationError(f"executor {name} cannot be used on this host: {words(str(error))}") from None
    if not isinstance(executor, BatchSchedulerExecutor):
        return PsijJobs(executor, configuration)
    executor.work_directory = folder
    config: Any = executor.config
    config.queue_polling_interval = config.initial_queue_polling_delay = NEVER_S
    config.keep_files = True
    return PsijQueue(executor, configuration)


def _job(configuration: Configuration, request: Request, options: Sequence[str] = ()) -> Any:
    """psij's description of a job; `options` of its submission hold name and attributes, where there are some."""
    import psij

    resources = psij.ResourceSpecV1(
        process_count=1,
        cpu_cores_per_process=configuration.cpus,
        gpu_cores_per_process=configuration.gpus,
        memory=round(configuration.memory_gb * 2**30) or None,
    )
    attributes = {} if options else configuration.attributes
    asked = psij.JobAttributes(
        duration=timedelta(minutes=configuration.wall_time_min),
        queue_name=configuration.queue,
        account=configuration.account,
        custom_attributes={f"{configuration.executor}.{name}": value for name, value in attributes.items()},
    )
    program, *arguments = request.command
    return psij.Job(
        psij.JobSpec(
            name=None if options else request.name,
            executable=program,
            arguments=arguments,
            stdout_path=request.log,
            stderr_path=request.log,
            pre_launch=None if configuration.environment is None else Path(configuration.environment),
            resources=resources,
            attributes=asked,
        )
    )


def _submitted(executor: Any, job: Any) -> str:
    """The native id. Raises RefusedError, BatchFault."""
    import psij

    try:
        executor.submit(job)
    except psij.SubmitException as error:
        raise not_taken(str(error)) from None
    except OSError as error:
        raise RefusedError(f"{error.filename or 'its command'}: {error.strerror or error}") from None
    except Exception as error:  # noqa: BLE001 - psij lets through whatever an answer that it cannot read raises
        raise BatchFault(f"the outcome of a submission is not known: {words(str(error))}") from None
    return str(job.native_id)


class PsijQueue:
    """A batch system with commands to submit, to show the queue and to cancel."""

    def __init__(self, executor: Any, configuration: Configuration) -> None:
        self._executor = executor
        self._configuration = configuration
        self._within_s = configuration.command_s
        self._submit_command = executor.get_submit_command

    def submit(self, request: Request) -> str:
        """See Batch."""
        options = submit_options(self._configuration, request.name)
        self._executor.get_submit_command = lambda job, script: self._with(options, job, script)
        found = _submitted(self._executor, _job(self._configuration, request, options))
        if NATIVE_ID.fullmatch(found) is None:
            raise BatchFault(f"{self._configuration.executor} printed no id, but {words(found)!r}")
        return found

    def _with(self, options: Sequence[str], job: Any, script: Path) -> list[str]:
        """psij's command for a submission, with further options."""
        command, *rest = self._submit_command(job, script)
        return [command, *options, *rest]

    def status(self, native_ids: Collection[str], names: Collection[str]) -> Listing:
        """See Batch."""
        listing = QUEUES[self._configuration.executor](native_ids, names, self._within_s)
        return Listing({**listing.states, **self._exits(native_ids, listing.states)}, listing.names)

    def _exits(self, native_ids: Collection[str], states: Mapping[str, QueueState]) -> dict[str, QueueState]:
        """How jobs have ended that the batch system calls completed, or knows no more: their scripts leave exit codes.

        psij's scripts end with the writing of that file, so that a batch system sees none of a worker's failures.
        """
        found = {}
        for name in native_ids:
            if states.get(name, QueueState.COMPLETED) is not QueueState.COMPLETED:
                continue
            try:
                code = (self._executor.work_directory / f"{name}.ec").read_text().strip()
            except (OSError, ValueError):  # not there yet, or not to be read now: the batch system's word stands
                continue
            if code:  # else it is being written
                found[name] = QueueState.COMPLETED if code == "0" else QueueState.FAILED
        return found

    def cancel(self, native_id: str) -> None:
        """See Batch."""
        code, output = run(self._executor.get_cancel_command(native_id), self._within_s)
        if code == 0 or PBS_GONE.match(output.strip()):
            return
        from psij.executors.batch.batch_scheduler_executor import InvalidJobStateError

        try:
            self._executor.process_cancel_command_output(code, output)
        except InvalidJobStateError:  # it has ended
            return
        except Exception as error:  # noqa: BLE001 - psij's readers of output raise whatever they stumble over
            raise BatchFault(f"a job could not be cancelled: {words(str(error))}") from None


class PsijJobs:
    """Processes of this host: psij follows each job by itself."""

    def __init__(self, executor: Any, configuration: Configuration) -> None:
        self._executor = executor
        self._configuration = configuration
        self._jobs: dict[str, Any] = {}

    def submit(self, request: Request) -> str:
        """See Batch."""
        job = _job(self._configuration, request)
        native_id = _submitted(self._executor, job)
        self._jobs[native_id] = job
        return native_id

    def status(self, native_ids: Collection[str], names: Collection[str]) -> Listing:
        """See Batch."""
        jobs = {name: self._known(name) for name in native_ids}
        return Listing({name: _state(job.status.state) for name, job in jobs.items() if job is not None})

    def cancel(self, native_id: str) -> None:
        """See Batch."""
        job = self._known(native_id)
        if job is None:
            return
        try:
            job.cancel()
        except Exception as error:  # noqa: BLE001 - what each system raises
            raise BatchFault(f"a job could not be cancelled: {words(str(error))}") from None

    def _known(self, native_id: str) -> Any:
        """The job, taken up again where a former process of the pool has submitted it; None where it is gone."""
        import psij

        if native_id not in self._jobs:
            job = psij.Job()
            try:
                self._executor.attach(job, native_id)
            except Exception:  # noqa: BLE001 - psij raises what each system raises for a job that is gone
                return None
            self._jobs[native_id] = job
        return self._jobs[native_id]


def _state(state: Any) -> QueueState:
    """psij's state as ours."""
    import psij

    if state is psij.JobState.COMPLETED:
        return QueueState.COMPLETED
    if state.final:
        return QueueState.FAILED
    return QueueState.RUNNING if state is psij.JobState.ACTIVE else QueueState.QUEUED
