"""The session's own files at the top of the processing directory, which the tracker writes anew as movies are done."""

from __future__ import annotations

PROCESSED_ITEMS, FAILED_ITEMS = "processed_items.json", "failed_items.json"
MOVIES, CORRECTED = "movies.star", "corrected_micrographs.star"
CTF, AUTOPICK, PARTICLES = "micrographs_ctf.star", "autopick.star", "particles.star"
SETTINGS = "settings.json"
REFERENCES = "references"
"""The folder of gains and defects as other programs take them."""
STAR_FILES = (MOVIES, CORRECTED, CTF, AUTOPICK)

TABLES = {
    PROCESSED_ITEMS: "all movies but failed ones, for programs",
    FAILED_ITEMS: "failed movies, for programs",
    MOVIES: "RELION's list of movies",
    CORRECTED: "RELION's list of averages with their motion",
    CTF: "RELION's list of averages with their CTF",
    AUTOPICK: "RELION's list of coordinate files",
    PARTICLES: "RELION's list of particles, where they are exported",
    SETTINGS: "the settings in force, as `--settings` takes them",
}
"""What each holds, by name."""
