"""What an exception in a task means: the movie's fault, the machine's, the GPU's, or ours."""

from __future__ import annotations

import logging
import traceback

from warpcore.bus.vocabulary import FailureKind
from warpcore.services.session.errors import InputError
from warpcore.services.storage.faults import reason, storage_kind

log = logging.getLogger(__name__)

_FULL_SIGNS = (
    "resource_exhausted",
    "out of memory",
    "out_of_memory",
    "failed to allocate",
    "scratch allocator",  # of cuFFT, whose plans need memory too
    "cufft_alloc_failed",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)
_GPU_SIGNS = ("CUDA_ERROR", "cudaError", "CUDNN_STATUS", "ECC error", "device-side assert", "XID")


LONGEST_MESSAGE = 2000
"""Characters of a failure's message."""


class CancelledError(Exception):
    """The task was cancelled while it ran."""


class TaskError(Exception):
    """A task failed: whose fault it is, the `step` that it was in, one line for people."""

    def __init__(self, kind: FailureKind, step: str, message: str) -> None:
        self.kind, self.step, self.message = kind, step, sendable(message)
        super().__init__(message)


def sendable(text: str) -> str:
    """A text that can travel as UTF-8: bytes of names that are none are written as \\x.. instead."""
    return text.encode("utf-8", "backslashreplace").decode()


def is_out_of_device_memory(error: BaseException) -> bool:
    """Whether the device's memory did not suffice, in the words of XLA, CUDA and its libraries."""
    text = str(error).lower()
    return any(sign in text for sign in _FULL_SIGNS)


def classify(error: BaseException, step: str) -> TaskError:
    """What an exception means as a failure of the task; an unexpected one is logged with its traceback."""
    text = str(error).strip() or type(error).__name__
    first_line = text.splitlines()[0][:LONGEST_MESSAGE]
    if isinstance(error, TaskError):
        return error
    if (failed := _failed_storage(error)) is not None:
        kind, cause = failed
        words = "disk full" if kind is FailureKind.DISK_FULL else "storage is away"
        where = f" on {cause.filename}" if cause is error and cause.filename else ""
        return TaskError(kind, step, f"{words}{where}: {reason(cause) if cause is error else first_line}")
    if isinstance(error, InputError):
        return TaskError(FailureKind.INPUT, step, first_line)
    if isinstance(error, MemoryError) or is_out_of_device_memory(error):
        return TaskError(FailureKind.RESOURCE, step, f"out of memory: {first_line}")
    if any(sign in text for sign in _GPU_SIGNS):
        return TaskError(FailureKind.BAD_GPU, step, first_line)
    if isinstance(error, OSError):
        return TaskError(FailureKind.RESOURCE, step, first_line)
    log.error("unexpected error in step %s:\n%s", step, sendable("".join(traceback.format_exception(error))))
    return TaskError(FailureKind.INTERNAL, step, f"{type(error).__name__}: {first_line}")


def _failed_storage(error: BaseException | None) -> tuple[FailureKind, OSError] | None:
    """The kind of storage failure that is behind an exception, and the file call that met it; None where none is."""
    while error is not None:
        if isinstance(error, OSError) and (kind := storage_kind(error)) is not None:
            return kind, error
        # A reader that names the file in words of its own has hidden what it met, not lost it.
        error = error.__cause__ or error.__context__
    return None
