"""Notices a gain in the wrong orientation or sense, flat, missing, or on a pedestal, from the first movies' counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import GainMatches, Orientation, centre, match_gain
from warpcore.services.readers.gain import Gain
from warpcore.services.readers.raw import RawMovie
from warpcore.services.readers.reference import EER_GAIN_EXTENSION
from warpcore.services.readers.reference_images import fault_as_raw
from warpcore.services.session.named_files import NamedFiles, named_files
from warpcore.services.session.settings import ImportSettings, Settings
from warpcore.services.worker.pattern_watch import PatternWatch

MOST_MOVIES = 10
"""Where the counts of so many movies are too few, those of more would be too."""


@dataclass
class _Use:
    """One gain as it is used, and the counts of the movies seen so far; `is_lone`: single images are all there was."""

    gain: Gain
    orientation: Orientation
    is_eer: bool
    is_lone: bool
    counts: npt.NDArray[np.float32]
    movies: int = 0


class GainWatch:
    """Sums the middle of the field over movies until the gain's orientation is clear; then waits for another gain.

    It changes no movie's results. `warnings` is what the user should know now, at most one line. A single image may be
    an average that has the gain already: ten of them say something, and only until a movie of several frames comes.
    """

    def __init__(self) -> None:
        self.warnings: tuple[str, ...] = ()
        self._use: _Use | None = None
        self._settled = False
        self._pattern = PatternWatch()

    def see(
        self,
        gain: Gain | None,
        imported: ImportSettings,
        is_eer: bool,
        counts: Callable[[], npt.NDArray[np.floating]],
        *,
        is_lone: bool = False,
    ) -> bool:
        """Look at a movie, which `is_lone` where its file has one frame; True where `warnings` has changed.

        `gain` is oriented by the settings; `counts` gives the raw counts summed over frames [H, W] and is called only
        where they are needed.
        """
        before = self.warnings
        if gain is None:
            self._use = None
            if not is_lone and not self._pattern.settled:
                self._pattern.see(counts())
            self.warnings = () if self._pattern.pattern is None else (NO_GAIN,)
            return self.warnings != before
        self._pattern = PatternWatch()
        orientation = orientation_of(imported)
        use = self._use
        if use is None or use.gain is not gain or use.orientation != orientation or (use.is_lone and not is_lone):
            self._use = _Use(gain, orientation, is_eer, is_lone, np.zeros((0, 0), np.float32))
            self._settled, self.warnings = False, ()
        assert self._use is not None
        if not self._settled and self._use.is_lone == is_lone:
            self._look(self._use, np.asarray(centre(counts()), np.float32))
        return self.warnings != before

    def _look(self, use: _Use, counts: npt.NDArray[np.float32]) -> None:
        use.counts = counts if use.movies == 0 else use.counts + counts
        use.movies += 1
        try:
            matches = match_unturned(use.counts, use.gain, use.orientation)
        except ValueError:
            self._settled = True  # a field this small comes from no camera
            return
        if (use.is_lone or matches.verdict == "faint") and use.movies < MOST_MOVIES:
            return
        self._settled = True
        use.counts = np.zeros((0, 0), np.float32)
        text = warning(matches, use)
        self.warnings = (text,) if text else ()


def shows_gain(movie: RawMovie, settings: Settings) -> bool:
    """Whether a gain's pattern can be seen in a movie; not where a reference image was registered as one."""
    return not fault_as_raw(movie) and not NamedFiles(named_files(settings.to_dict())).have(movie.path)


def orientation_of(imported: ImportSettings) -> Orientation:
    """The orientation that the settings give a gain."""
    return Orientation(imported.gain_flip_x, imported.gain_flip_y, imported.gain_transpose)


def match_unturned(counts: npt.NDArray[np.floating], gain: Gain, orientation: Orientation) -> GainMatches:
    """How well a gain matches in each orientation of its file; `orientation` is the one in which it was read."""
    multiplier = orientation.undone(centre(gain.multiplier))
    return match_gain(counts, multiplier, orientation.undone(centre(gain.defects)))


def warning(matches: GainMatches, use: _Use) -> str | None:
    """What is wrong with the gain and what to set; None where nothing is wrong, or where that is unknown."""
    name = f"gain {use.gain.path}"
    here = matches.of(use.orientation)
    share = f"{here.share:.2f}" if here is not None else "nothing"
    if matches.verdict == "flat":
        return f"{name}: it is flat, so it corrects nothing; give the camera's gain, or none where frames are corrected"
    if matches.verdict == "pedestal":
        return f"{name}: {pedestal(matches)}"
    if matches.best is None:
        if matches.verdict != "absent":
            return None
        return (
            f"{name}: the movies do not show its pattern in any orientation (at most {_most(matches):.2f} of it), "
            "so applying it adds a pattern: was it applied already, or is it another camera's or mode's? "
            "Look with: warpcore gain-check"
        )
    best = matches.of(matches.best)
    assert best is not None
    if best.share < 0:
        orientation = setting_words(matches.best)
        said = inverse(use.gain, use.is_eer)
        return f"{name}: {best.share:.2f} of its pattern is in the movies with {orientation}: {said}"
    if use.orientation in matches.alike:
        return None
    return (
        f"{name}: it lies in the wrong orientation: {share} of its pattern is in the movies as it is set, "
        f"{best.share:.2f} with {setting_words(matches.best)}"
    )


NO_GAIN = (
    "no gain is given, and movies share a pattern as those of an uncorrected camera do: set import.gain_path, or find "
    "out why their frames are not corrected"
)
"""Without the figure, which differs between workers: it is one warning."""


def setting_words(orientation: Orientation) -> str:
    """The three settings that give a gain this orientation, as `settings set` takes them."""
    values = {
        "import.gain_flip_x": orientation.flip_x,
        "import.gain_flip_y": orientation.flip_y,
        "import.gain_transpose": orientation.transpose,
    }
    return " ".join(f"{name}={str(value).lower()}" for name, value in values.items())


def pedestal(matches: GainMatches) -> str:
    """What a constant in all counts does, and what to do about it."""
    best = None if matches.best is None else matches.of(matches.best)
    assert best is not None
    return (
        f"about {100 * (1 - best.share):.0f} % of the movies' counts seem to be a constant, since they show "
        f"{best.share:.2g} of its pattern and vary less than electrons do; times the gain it is a pattern that hides "
        "all motion: write movies whose counts begin at zero"
    )


def inverse(gain: Gain, is_eer: bool) -> str:
    """What a gain in the other sense is, and what to do about it."""
    if not is_eer:
        return "it divides, where counts are multiplied by a gain; write 1/gain"
    if gain.path.suffix.lower() == EER_GAIN_EXTENSION:
        return "it divides, where the .gain of an EER multiplies; write it as .mrc, or 1/gain"
    return "it multiplies, where an EER is divided by its .mrc; write it as .gain (a TIFF), or 1/gain"


def _most(matches: GainMatches) -> float:
    return max((abs(match.share) for match in matches.matches), default=0.0)
