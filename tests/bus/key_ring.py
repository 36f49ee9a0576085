"""Keys of a test's own, and a guard that knows them."""

from __future__ import annotations

from warpcore.bus.guard import Guard
from warpcore.bus.keys import ClientKey, Holder, KeyPair


class KeyRing:
    """Keys that may connect. `revoke` replaces the mapping, as the file's reader does."""

    def __init__(self) -> None:
        self.server = KeyPair.new()
        self._known: dict[str, Holder] = {}

    def add(self, holder: Holder) -> ClientKey:
        """A new key, which may connect at once."""
        key = self.unknown(holder)
        self._known = {**self._known, key.pair.public: holder}
        return key

    def unknown(self, holder: Holder) -> ClientKey:
        """A key that may not connect."""
        return ClientKey(holder, KeyPair.new(), self.server.public)

    def know(self, key: ClientKey) -> None:
        """Let a key in from now on."""
        self._known = {**self._known, key.pair.public: key.holder}

    def revoke(self, key: ClientKey) -> None:
        """Take a key's rights."""
        self._known = {public: holder for public, holder in self._known.items() if public != key.pair.public}

    def guard(self) -> Guard:
        """Close it after the sockets."""
        return Guard(self.server, lambda: self._known)
