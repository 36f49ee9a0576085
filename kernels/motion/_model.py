"""The movement of one movie: a track common to the whole field and a coarse local field, both splines, in Å.

`displacement(x, y, frame)` is where the specimen that lies at the fractional position (x, y) of the average is in that
frame, relative to frame 0: frame content is found at average position + displacement. x, y = pixel / image width,
height (Warp's and RELION's).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import spline_basis

FloatArray = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Grid = tuple[tuple[int, int, int], list[float]]

EARLY_DOSE = 4.0
"""e⁻/Å² up to which movement counts as early."""


@dataclass(frozen=True, eq=False)
class MotionModel:
    """Node values (x, y) in Å of natural cubic splines: `global_nodes` [t, 2] and `local_nodes` [t, y, x, 2].

    In time the first node lies at frame 0, the last at the last frame; in space nodes run from edge to edge, 0 to 1.
    `failure` says why no movement was found where one was looked for.
    """

    frames: int
    global_nodes: FloatArray
    local_nodes: FloatArray
    failure: str | None = None

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"a motion model needs at least one frame, not {self.frames}")
        if self.global_nodes.ndim != 2 or self.global_nodes.shape[1] != 2:
            raise ValueError(f"global nodes have shape {self.global_nodes.shape}, needed: [t, 2]")
        if self.local_nodes.ndim != 4 or self.local_nodes.shape[3] != 2:
            raise ValueError(f"local nodes have shape {self.local_nodes.shape}, needed: [t, y, x, 2]")
        if not (np.isfinite(self.global_nodes).all() and np.isfinite(self.local_nodes).all()):
            raise ValueError("a motion model's node values must be finite")

    @classmethod
    def zero(cls, frames: int, failure: str | None = None) -> MotionModel:
        """No movement: for one-frame movies, where motion is switched off, and where none can be told."""
        return cls(frames, np.zeros((1, 2), np.float32), np.zeros((1, 1, 1, 2), np.float32), failure)

    @property
    def grid(self) -> tuple[int, int, int]:
        """Nodes (x, y, t) of the global track: 1, 1, t."""
        return 1, 1, self.global_nodes.shape[0]

    @property
    def local_grid(self) -> tuple[int, int, int]:
        """Nodes (x, y, t) of the local field."""
        t, y, x, _ = self.local_nodes.shape
        return x, y, t

    def displacements_angstrom(self, x_fraction: npt.ArrayLike, y_fraction: npt.ArrayLike) -> Float64Array:
        """Displacement (x, y), Å, relative to frame 0, at fractional positions of shape [...]: [frames, ..., 2]."""
        x, y = np.broadcast_arrays(np.asarray(x_fraction, np.float64), np.asarray(y_fraction, np.float64))
        nt, ny, nx, _ = self.local_nodes.shape
        time = self._time()
        local = np.tensordot(spline_basis(nt, time), self.local_nodes.astype(np.float64), axes=1)
        in_space = spline_basis(ny, y)[..., :, None] * spline_basis(nx, x)[..., None, :]
        moved = np.moveaxis(np.tensordot(in_space, local, axes=([-2, -1], [1, 2])), -2, 0)
        track = spline_basis(self.global_nodes.shape[0], time) @ self.global_nodes.astype(np.float64)
        moved = moved + track.reshape((self.frames,) + (1,) * x.ndim + (2,))
        return np.asarray(moved - moved[:1])

    def global_track_angstrom(self) -> Float64Array:
        """The track (x, y) at the centre of the field, Å, frame 0 at 0: [frames, 2]."""
        return self.displacements_angstrom(0.5, 0.5)

    def mean_frame_movement_angstrom(self) -> float:
        """Mean step between frames over the first third of the track at the centre, Å (Warp's MeanFrameMovement)."""
        steps = np.linalg.norm(np.diff(self.global_track_angstrom(), axis=0), axis=1)
        return float(steps[: max(1, self.frames // 3)].mean()) if len(steps) else 0.0

    def largest_frame_movement_angstrom(self) -> float:
        """Largest step between two frames of any of 9 x 9 places from edge to edge, Å: what blurs a frame most."""
        x, y = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9))
        steps = np.linalg.norm(np.diff(self.displacements_angstrom(x, y), axis=0), axis=-1)
        return float(steps.max()) if steps.size else 0.0

    def accumulated(self, dose_per_frame: float, split: float = EARLY_DOSE) -> tuple[float, float, float]:
        """Path length of the track at the centre, Å: (total, early, late); early up to `split` e⁻/Å²."""
        steps = np.linalg.norm(np.diff(self.global_track_angstrom(), axis=0), axis=1)
        early = float(steps[dose_per_frame * np.arange(1, self.frames) <= split].sum())
        total = float(steps.sum())
        return total, early, total - early

    def relion_polynomial(
        self, height: int, width: int, pixel_size_angstrom: float
    ) -> tuple[Float64Array, Float64Array, float]:
        """This model as RELION's (version 1): global shifts [frames, 2] px, 36 coefficients, worst residual px.

        RELION's shifts are minus the displacement, in unbinned pixels; the local polynomial (z, z², z³) x (1, x, x², y,
        y², xy), x and y in [-0.5, 0.5], z = frame, adds to the global shift. Fitted by least squares on 9 x 9
        positions, all frames.
        """
        x, y = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9))
        shifts = -self.displacements_angstrom(x, y) / pixel_size_angstrom
        # The constant term of the polynomial could take over the track, but not its jumps: the track at the centre is
        # given frame by frame.
        track = -self.global_track_angstrom() / pixel_size_angstrom
        local = (shifts - track[:, None, None]).reshape(-1, 2)
        z = np.arange(self.frames, dtype=np.float64)
        design = relion_basis(z[:, None, None], x[None] - 0.5, y[None] - 0.5).reshape(-1, 18)
        # Columns differ by (frames)^3: scaled to unit length for a well-conditioned solution.
        scale = np.maximum(np.linalg.norm(design, axis=0), 1e-30)
        solution = np.linalg.lstsq(design / scale, local, rcond=1e-10)[0] / scale[:, None]
        residual = np.linalg.norm(design @ solution - local, axis=1)
        return track, np.concatenate([solution[:, 0], solution[:, 1]]), float(residual.max())

    def warp_grids(self, first_frame: int = 0, frames_in_file: int | None = None) -> dict[str, Grid]:
        """GridMovementX/Y and GridLocalMovementX/Y: name to ((x, y, t), values in Å, x fastest, then y, then t).

        Warp spreads a grid over all `frames_in_file`, of which this model's frames are those from `first_frame` on.
        Where the file has more, there is a node for each frame; those outside have the value of the nearest one inside.
        """
        # Warp adds the two grids: the local field's start is taken off everywhere, so that their sum is the
        # displacement.
        track = (self.global_nodes - self.global_nodes[:1]).astype(np.float64)
        local = (self.local_nodes - self.local_nodes[:1]).astype(np.float64)
        if frames_in_file is not None and frames_in_file != self.frames:
            inside = np.clip(np.arange(frames_in_file) - first_frame, 0, self.frames - 1)
            at = self._time()[inside]
            track = spline_basis(len(track), at) @ track
            local = np.tensordot(spline_basis(len(local), at), local, axes=1)
        t, y, x, _ = local.shape
        grids: dict[str, Grid] = {}
        for axis, name in enumerate("XY"):
            grids[f"GridMovement{name}"] = ((1, 1, len(track)), [float(v) for v in track[:, axis]])
            grids[f"GridLocalMovement{name}"] = ((x, y, t), [float(v) for v in local[..., axis].ravel()])
        return grids

    def to_dict(self) -> dict[str, Any]:
        """JSON types. float32 values are exact as JSON numbers, so a model read back gives byte-equal averages."""
        return {
            "frames": self.frames,
            "failure": self.failure,
            "grid": list(self.grid),
            "local_grid": list(self.local_grid),
            "global_angstrom": [float(v) for v in self.global_nodes.ravel()],
            "local_angstrom": [float(v) for v in self.local_nodes.ravel()],
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> MotionModel:
        """The model of `to_dict`. Raises ValueError where a field is missing or does not fit."""
        try:
            x, y, t = (int(n) for n in stored["local_grid"])
            track = np.asarray(stored["global_angstrom"], np.float32).reshape(int(stored["grid"][2]), 2)
            local = np.asarray(stored["local_angstrom"], np.float32).reshape(t, y, x, 2)
            return cls(int(stored["frames"]), track, local, stored.get("failure"))
        except (KeyError, TypeError, IndexError, OverflowError) as error:
            raise ValueError(f"not a stored motion model: {error!r}") from error

    def _time(self) -> Float64Array:
        return np.arange(self.frames, dtype=np.float64) / max(1, self.frames - 1)


def relion_basis(z: Float64Array, x: Float64Array, y: Float64Array) -> Float64Array:
    """RELION's 18 local terms at frame z and position x, y in [-0.5, 0.5]: [..., 18], (z, z², z³) fastest."""
    in_space = np.stack(np.broadcast_arrays(np.ones_like(x), x, x**2, y, y**2, x * y), axis=-1)
    in_time = np.stack([z, z**2, z**3], axis=-1)
    product = in_space[..., :, None] * in_time[..., None, :]
    return np.asarray(product.reshape(*product.shape[:-2], 18))
