"""The user's own choice as Warp's XML writes it."""

from __future__ import annotations

from collections.abc import Mapping

from warpcore.bus.vocabulary import Selection

UNSELECT_MANUAL: Mapping[str, bool] = {Selection.INCLUDE: False, Selection.EXCLUDE: True}
"""`UnselectManual` of a movie; absent where the filter decides."""
