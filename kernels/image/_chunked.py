"""What kernels that go over a movie's frames share: its form on a device, and some of its frames on the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import jax
import numpy as np
import numpy.typing as npt


class Chunked(Protocol):
    """A movie on the device, whose frames come in chunks of equal size (`DeviceFrames`)."""

    @property
    def shape(self) -> tuple[int, int, int]: ...

    def __len__(self) -> int: ...

    def chunks(self) -> Iterator[tuple[int, jax.Array]]:
        """All frames: the first index of each chunk, and the chunk; the last frame fills up the last chunk."""
        ...


def chosen_frames(frames: npt.NDArray[np.generic], index: npt.NDArray[np.intp]) -> npt.NDArray[np.generic]:
    """The frames at a rising `index` [n] of a movie [F, H, W] in the host's memory; a view where none is left out."""
    if len(index) == 0 or index[-1] - index[0] == len(index) - 1:
        return frames[index[0] : index[-1] + 1] if len(index) else frames[:0]
    return frames[index]
