"""Which frames the motion fit works on, summed in groups where each has few electrons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from warpcore.kernels.motion._binning import automatic_group

Float64Array = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of frames that the fit works on.

    `used` are the frames that count, out of `frames`; groups begin at the places `starts` in that list, their `centres`
    are frame numbers. `slots` is how many groups there were if no frame in between was left out.
    """

    frames: int
    used: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    centres: Float64Array
    slots: int

    @property
    def count(self) -> int:
        return len(self.starts)

    @classmethod
    def of(cls, frames: int, good: BoolArray | None, dose_per_frame: float, group_frames: int | None) -> Groups:
        used = np.arange(frames) if good is None else np.flatnonzero(good)
        group = group_frames or automatic_group(len(used), dose_per_frame)
        count = max(1, len(used) // group)
        starts = np.arange(count) * len(used) // count
        if len(used) == 0:
            return cls(frames, used, starts[:0], np.zeros(0), 0)
        centres = (used[starts] + used[np.append(starts[1:], len(used)) - 1]) / 2
        spanned = int(used[-1] - used[0]) + 1
        return cls(frames, used, starts, centres, count * spanned // len(used))

    def fractions(self, nodes: int) -> Float64Array:
        """Times of nodes from the first frame to the last, where the first group's centre is 0 and the last's 1.

        They lie as close as `nodes` between the first and the last frame that counts. Beyond these nothing is known:
        each frame further away moves on half as fast, so that no more than two frames' movement is made up.
        """
        spanned = int(self.used[-1] - self.used[0]) + 1
        nodes = -(-nodes * self.frames // spanned)
        origin, length = self.centres[0], self.centres[-1] - self.centres[0]
        first, last = -origin / length, (self.frames - 1 - origin) / length
        low, high = (self.used[0] - origin) / length, (self.used[-1] - origin) / length
        times = np.linspace(first, last, nodes)
        beyond = (times - np.clip(times, low, high)) * length
        made_up = np.sign(beyond) * 2 * (1 - 0.5 ** np.abs(beyond)) / length
        return np.asarray(np.where(beyond == 0, times, np.clip(times, low, high) + made_up))
