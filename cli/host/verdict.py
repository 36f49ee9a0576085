"""One line of `warpcore check`."""

from __future__ import annotations

from enum import StrEnum

import msgspec

GIB = 1024**3


class Judgement(StrEnum):
    """How it is."""

    GOOD = "good"
    NOTE = "note"
    """It works, and something is worth knowing."""
    WRONG = "wrong"
    """It does not work until something is done."""


class Verdict(msgspec.Struct, frozen=True):
    """What was looked at, how it is, and what to do; `advice` is "" where nothing is to be done."""

    subject: str
    judgement: Judgement
    found: str
    advice: str = ""


def good(subject: str, found: str) -> Verdict:
    """It is as it should be."""
    return Verdict(subject, Judgement.GOOD, found)


def noted(subject: str, found: str, advice: str = "") -> Verdict:
    """It works, with something to know."""
    return Verdict(subject, Judgement.NOTE, found, advice)


def wrong(subject: str, found: str, advice: str) -> Verdict:
    """It does not work."""
    return Verdict(subject, Judgement.WRONG, found, advice)
