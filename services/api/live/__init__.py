"""Live events over HTTP: one follower for each API process, one encoding for each event, any number of readers."""

from warpcore.services.api.live.feed import Feed
from warpcore.services.api.live.following import Following
from warpcore.services.api.live.readers import LastEvent, Reader

__all__ = ["Feed", "Following", "LastEvent", "Reader"]
