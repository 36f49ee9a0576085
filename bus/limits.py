"""How much one request may ask for and one answer may hold. A page that does not fit a frame is shorter.

docs/rest.md tells users these figures.
"""

from __future__ import annotations

PAGE = 100
"""Movies a page of `items.get`, where the request names no number."""
LARGEST_PAGE = 1000
"""Most movies a page of `items.get`."""

MOST_AT_ONCE = 2000
"""Most movies or files in one message, where all are read or registered page by page."""
MOST_CHOSEN = 500
"""Most movies that one message may select. Each is stored and told, so this takes a few dozen ms."""
MOST_RETRIED = 2500
"""Most movies that one message may retry or forget: a person's word after a night's fault takes effect at once."""
MOST_CHANGES = 5000
"""Most rows of the change log in one answer."""
USUAL_AT_ONCE = 500
"""Movies of a snapshot, changes or log lines in one answer, where the request names no number."""

LOG_LINES = 1000
"""Last lines that are kept of each worker's log, and most lines in one answer."""

HIGHEST_PRIORITY = 1_000_000
"""Priorities of movies lie between this and its negative."""

LONGEST_BY = 100
"""Characters of the name of who asked for a change."""

KEPT_TRIES = 20
"""Tries that are kept; the oldest that has ended goes first, with its files."""

MOST_VALUES_IN_USE = 20
"""Values that are told of one setting that movies tell themselves."""

MOST_PROFILES = 100
"""Named sets of settings that a session keeps."""
LONGEST_PROFILE_NAME = 100

MOST_HAND_PICKS = 2000
"""Most picks of a movie that a person can add, and most that can be removed."""

MOST_PROCESSES = 3
"""Compute processes of one worker."""

LONGEST_NAME = 256
"""Characters of what names a worker, its host, device and versions."""
LONGEST_SOURCE = 4096
"""Characters of the path of a movie's metadata."""
MOST_VERSIONS = 64
"""Packages of which a worker tells the version."""
MOST_WORKERS = 2000
"""Workers that are registered at a time, and names of workers that are set aside."""
MOST_POOLS = 32
"""Pools that a session knows."""
LONGEST_POOL_NAME = 64
LARGEST_POOL = 1000
"""Most workers that a pool may be allowed."""
