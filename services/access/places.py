"""Where a session keeps keys and tokens: its access directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from warpcore.services.session.allowed import OWN_FOLDER

FOLDER = "access"


@dataclass(frozen=True, slots=True)
class Access:
    """The access directory of a session, mode 0700; each file in it has mode 0600."""

    folder: Path

    @classmethod
    def of(cls, given: Path | None, processing: Path) -> Access:
        """The directory that was given, else the one in the processing directory."""
        return cls((given or processing / OWN_FOLDER / FOLDER).absolute())

    @property
    def server(self) -> Path:
        """Secret and public key of the scheduler."""
        return self.folder / "server.toml"

    @property
    def known(self) -> Path:
        """Public keys that may connect, with name, role and service of each."""
        return self.folder / "known.toml"

    @property
    def keys(self) -> Path:
        """The folder of the key files that were made here, one a peer."""
        return self.folder / "keys"

    @property
    def operator_token(self) -> Path:
        """The file with the token of who runs the session."""
        return self.folder / "operator.token"

    @property
    def changes(self) -> Path:
        """Changes of keys and tokens that are not in a session's audit log yet."""
        return self.folder / "changes.json"

    @property
    def tokens(self) -> Path:
        """The API's database of tokens and of who is signed in."""
        return self.folder / "tokens.db"
