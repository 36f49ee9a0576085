"""Errors of input files, shown to the user as one line."""

from __future__ import annotations


class InputError(ValueError):
    """A movie, gain or defect file that cannot be used; the text names the file, what is wrong and what to do."""
