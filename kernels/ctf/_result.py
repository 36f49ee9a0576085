"""What a CTF fit returns."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import spline_basis


@dataclass(frozen=True)
class DefocusSurface:
    """Defocus over the field, in µm, at `dims` nodes along (x, y) from edge to edge; `values_um` holds rows of x.

    Tilt and axis of its plane are in degrees, None for fewer than two nodes a side.
    """

    dims: tuple[int, int]
    values_um: tuple[float, ...]
    tilt_degrees: float | None = None
    tilt_axis_degrees: float | None = None

    @property
    def range_um(self) -> float | None:
        """Largest minus smallest defocus over the middle nine tenths of the field each way, µm.

        None for fewer than two nodes a side.
        """
        if min(self.dims) < 2:
            return None
        x, y = np.meshgrid(*(np.linspace(0.05, 0.95, 10),) * 2)
        return float(np.ptp(self.um_at(x.ravel(), y.ravel())))

    def um_at(self, x_fraction: npt.ArrayLike, y_fraction: npt.ArrayLike) -> np.ndarray:
        """Defocus in µm at positions [N] of the field, 0 to 1, by natural cubic splines through the nodes."""
        columns, rows = self.dims
        nodes = np.reshape(self.values_um, (rows, columns))
        along_y = spline_basis(rows, np.asarray(y_fraction, np.float64))
        along_x = spline_basis(columns, np.asarray(x_fraction, np.float64))
        return np.asarray(np.einsum("ny,yx,nx->n", along_y, nodes, along_x))


@dataclass(frozen=True)
class CtfFit:
    """A fitted CTF. Where `failure` gives a reason, the numbers are the best guess and not to be relied on.

    Defoci U ≥ V in Å (underfocus positive); `angle_degrees` of U from +x towards +y of the array, in (-90, 90]; phase
    shift in degrees; `figure_of_merit` cross-correlation of spectrum and model; `resolution_angstrom` up to where they
    agree (None: nowhere); `curves` lists along frequency: `frequency` (1/Å), `spectrum`, `background`, `scale` (power),
    `model` (CTF²), `quality`; `source` whose spectra were fitted (`sum` of all frames, or `frames`); `ice_ring`
    relative excess at 3.7 Å; `ice_thickness` in no unit, in proportion to the thickness within one session
    (`_quality.relative_thickness`); `diagnostic` a centred 2D picture, left half data, right half model.
    """

    defocus_u_angstrom: float
    defocus_v_angstrom: float
    angle_degrees: float
    phase_shift_degrees: float
    figure_of_merit: float
    resolution_angstrom: float | None
    failure: str | None
    warnings: list[str]
    grid: DefocusSurface
    curves: dict[str, list[float]]
    ice_ring: float | None
    confidence: float
    resolution_plain_angstrom: float | None = None
    source: str = "sum"
    ice_thickness: float | None = None
    diagnostic: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32), compare=False, repr=False)

    @property
    def defocus_angstrom(self) -> float:
        """Mean of U and V in Å."""
        return 0.5 * (self.defocus_u_angstrom + self.defocus_v_angstrom)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, without the picture."""
        out = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "diagnostic"}
        surface = self.grid
        out["grid"] = {
            "dims": list(surface.dims),
            "values_um": list(surface.values_um),
            "tilt_degrees": surface.tilt_degrees,
            "tilt_axis_degrees": surface.tilt_axis_degrees,
        }
        return out

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> CtfFit:
        """The inverse of `to_dict`; its picture is empty. Raises KeyError or TypeError for missing or extra fields."""
        surface = dict(raw["grid"])
        surface["dims"] = tuple(surface["dims"])
        surface["values_um"] = tuple(surface["values_um"])
        return cls(**{**raw, "grid": DefocusSurface(**surface)})
