"""The inputs of a CTF fit besides the image: how it was recorded, and what to look for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recording:
    """How the image was recorded.

    `dose` in e⁻/Å² of the whole image (None: unknown); `moved_in_frame_angstrom` is the largest movement within one
    frame (None: not measured). It only serves to say why an image shows no rings.
    """

    pixel_size_angstrom: float
    dose: float | None = None
    moved_in_frame_angstrom: float | None = None


@dataclass(frozen=True)
class Search:
    """What to look for: the band, coarse to fine in Å, the range of defoci in µm, and whether to fit a phase shift.

    `window_px` counts pixels of at least 1.4 Å; smaller pixels are taken together, so that a window holds enough
    specimen for the rings. `grid` gives the nodes (x, y) of the defocus surface; None chooses them from the dose.
    """

    range_min_angstrom: float = 30.0
    range_max_angstrom: float = 4.0
    defocus_min_um: float = 0.5
    defocus_max_um: float = 5.0
    fit_phase: bool = False
    window_px: int = 512
    grid: tuple[int, int] | None = None

    def limits(self, pixel_size_angstrom: float) -> Limits:
        """The same limits as the fit computes with them. Raises ValueError where they contradict each other."""
        coarse, fine, pixel = self.range_min_angstrom, self.range_max_angstrom, pixel_size_angstrom
        if not (pixel > 0 and coarse > fine > 0 and coarse > 2 * pixel):
            raise ValueError(
                f"CTF fit: range {coarse} to {fine} Å at {pixel} Å/px: "
                f"it must go from coarse to fine and begin above {2 * pixel:g} Å"
            )
        low, high = self.defocus_min_um, self.defocus_max_um
        if high <= low:
            raise ValueError(f"CTF fit: defocus {low} to {high} µm: the second must be larger")
        # The last 2 % before Nyquist are left out: detectors' filters and interpolation end there.
        return Limits(1 / coarse, min(1 / fine, 0.49 / pixel), 1e4 * low, 1e4 * high, self.fit_phase)


@dataclass(frozen=True)
class Limits:
    """A search in the fit's own units: band in 1/Å, defocus in Å."""

    k_min: float
    k_max: float
    defocus_min: float
    defocus_max: float
    fit_phase: bool
