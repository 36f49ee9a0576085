"""All decoders under test, by name. A module of decoders is named here."""

from __future__ import annotations

from tests.fuzz import decoders_metadata, decoders_movies, decoders_session, decoders_wire
from tests.fuzz.decoder import DECODERS

MODULES = (decoders_movies, decoders_metadata, decoders_session, decoders_wire)

__all__ = ["DECODERS", "MODULES"]
