"""A task on its way through the stages: what was loaded, what the steps have made, and what is to be told of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import jax
import numpy as np
import numpy.typing as npt

from warpcore.bus.messages import AssignTask
from warpcore.bus.vocabulary import Purpose
from warpcore.kernels.correct import Image
from warpcore.kernels.image import DeviceFrames, FrameCheck, PendingCounts
from warpcore.services.readers.gain import Gain
from warpcore.services.readers.raw import RawMovie
from warpcore.services.session.allowed import Allowed
from warpcore.services.session.learning import choice_id
from warpcore.services.session.named_files import with_files
from warpcore.services.session.path_map import AS_TOLD, PathMap
from warpcore.services.session.settings import Settings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Result
from warpcore.services.steps.learning import CHOICE, EVIDENCE
from warpcore.services.steps.step import Output
from warpcore.services.worker.limits import allowed_for
from warpcore.services.worker.references import Reference, defects_reference, gain_reference

T = TypeVar("T")


class Report(Protocol):
    """`report(step, fraction, message)`: how far a step is; may raise to cancel the task."""

    def __call__(self, step: str, fraction: float, message: str = "") -> None: ...


class MissingError(LookupError):
    """A step needs what no earlier step has made; the text names it."""


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """Names one thing that steps make for each other, and carries its type."""

    name: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """How a movie was recorded: Å per pixel of its frames, e⁻/Å² in each, and e⁻/Å² before the first."""

    pixel_size_angstrom: float
    dose_per_frame: float
    pre_exposure: float = 0.0


@dataclass(frozen=True, slots=True)
class Frames:
    """Raw frames as read, the gain that belongs to them, and the defects that the defects file names.

    `counts` [F, H, W] are the movie's frames as kernels take them: on an accelerator they are there.
    """

    movie: RawMovie
    counts: npt.NDArray[np.generic] | DeviceFrames
    gain: Gain | None
    listed_defects: npt.NDArray[np.bool_] | None
    shows_gain: bool = True
    """Whether a gain's pattern can be seen in them."""

    @property
    def multiplier(self) -> npt.NDArray[np.float32] | None:
        """The gain that frames are multiplied by, None without one."""
        return None if self.gain is None else self.gain.multiplier

    @property
    def known_defects(self) -> npt.NDArray[np.bool_] | None:
        """All defects that files name, those of the gain too; None where no file is given."""
        if self.gain is None:
            return self.listed_defects
        return self.gain.defects if self.listed_defects is None else self.gain.defects | self.listed_defects

    def references(self, defects_path: str | None) -> tuple[Reference | None, Reference | None]:
        """The gain and the defects of the file at `defects_path` for other programs; None for what is not given."""
        gain = None if self.gain is None else gain_reference(self.gain, self.movie.is_eer)
        if self.listed_defects is None or defects_path is None:
            return gain, None
        return gain, defects_reference(defects_path, self.listed_defects)


@dataclass(frozen=True, slots=True)
class Average:
    """The aligned average [h, w] as it stands on disk, and Å per pixel; `to_write` is the same on the host."""

    pixels: Image
    pixel_size_angstrom: float
    to_write: Image


EXPOSURE: Key[Exposure] = Key("exposure")
FRAMES: Key[Frames] = Key("raw frames")
ODD_FRAMES: Key[FrameCheck] = Key("check of frames")
COUNTS: Key[PendingCounts] = Key("raw counts")
BAD_PIXELS: Key[npt.NDArray[np.bool_]] = Key("bad pixels")
AVERAGE: Key[Average] = Key("average")


@dataclass
class Work:
    """One task with its settings. Steps `put` what they make and `take` what they need, by key.

    `run` are the steps that run, in the end more than were asked for where earlier outputs are gone. `cheap` are those
    of them of which only the cheap half is left. `results` are the summaries by step, those of steps that do not run
    too. `memory_share` is how much of the device's memory the movie may take: less after it ran out.

    Task and settings name folders and files as the scheduler's host sees them, and so do all outputs. To open one, ask
    `here` where this host sees it.
    """

    task: AssignTask
    settings: Settings
    run: list[str]
    results: dict[str, Any]
    cheap: set[str] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    memory_share: float = 1.0
    paths: PathMap = AS_TOLD
    _made: dict[str, Any] = field(default_factory=dict)

    def put(self, key: Key[T], value: T) -> None:
        """Leave something for later steps."""
        self._made[key.name] = value

    def get(self, key: Key[T]) -> T | None:
        """What was left under this key, None where nothing was."""
        return self._made.get(key.name)

    def forget(self) -> None:
        """Let go of all that was left, and of the memory that it takes."""
        self._made.clear()

    def take(self, key: Key[T]) -> T:
        """What was left under this key. Raises MissingError where nothing was."""
        try:
            value: T = self._made[key.name]
        except KeyError:
            raise MissingError(
                f"{self.task.name}: there is no {key.name} to work on; a step before should make it"
            ) from None
        return value

    @property
    def is_export_job(self) -> bool:
        """Whether the task adds files for an export job, and replaces no outputs of steps."""
        return Purpose.of(self.task.purpose) is Purpose.EXPORT

    @property
    def processing(self) -> Path:
        """The processing directory, where the outputs of earlier runs are, as this host sees it."""
        return self.here(self.task.processing_directory)

    def here(self, path: str) -> Path:
        """Where this host sees a folder or file that a task or setting names."""
        return Path(self.paths.here(path))

    @cached_property
    def allowed(self) -> Allowed:
        """What may be read for it; looked up once, when the task begins. Raises TaskError."""
        return allowed_for(self.task, self.paths)

    @cached_property
    def settings_here(self) -> Settings:
        """The settings for readers: their files are named as this host sees them."""
        return with_files(self.settings, self.paths.here) if self.paths.pairs else self.settings

    def path(self, output: Output) -> str:
        """The name of an output of the session for this movie, relative to the processing directory."""
        return output.path(self.task.name, self.settings.picking.suffix)

    def final_path(self, output: Output) -> str:
        """Where an output of this task will lie: for an export job in its own folder, else as `path` says."""
        folder = self.task.folder
        return f"{folder}/{self.path(output)}" if folder else self.path(output)

    def choice(self, step: str) -> Mapping[str, Any] | None:
        """What this step has learnt from the session's first movies; None: this movie goes by itself."""
        return self.task.choices.get(step)

    def tell(self, step: str, result: Result) -> None:
        """Set the summary of a step.

        One that learns keeps its evidence where only its cheap half runs, and tells none where it was given a choice:
        the result then does not depend on when the choice came.
        """
        self.results[step] = summary = result.to_dict()
        if step not in CHAIN or CHAIN[step].learning is None:
            return
        choice = self.choice(step)
        if choice is not None:
            summary[EVIDENCE] = None
        elif step in self.cheap:
            summary[EVIDENCE] = (self.task.results.get(step) or {}).get(EVIDENCE)
        summary[CHOICE] = None if choice is None else choice_id(choice)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure how long something takes; it stands under its name in a profile, too."""
        begun = time.monotonic()
        with jax.profiler.TraceAnnotation(name):
            yield
        self.seconds[name] = time.monotonic() - begun
