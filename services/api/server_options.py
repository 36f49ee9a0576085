"""What the processes that serve REST are told, as one argument of their command line."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from warpcore.bus.endpoints import Endpoints
from warpcore.services.api.http.options import HttpOptions
from warpcore.services.process.logs import LogFormat
from warpcore.services.session.path_map import AS_TOLD, PathMap


class ServerOptions(Struct, frozen=True, kw_only=True):
    """Where the scheduler is and how REST is served, by `workers` processes.

    `key` is the key file by which the scheduler is asked, None in a session without keys; `access` is the access
    directory, whose tokens who asks must have, None where REST is open to everyone. `paths` says where this host sees
    the folders that the scheduler names, `own_name` what its user calls this session.
    """

    endpoints: Endpoints
    http: HttpOptions
    access: Path | None
    key: Path | None = None
    workers: int = 1
    paths: PathMap = AS_TOLD
    own_name: str = ""
    log_format: LogFormat = LogFormat.TEXT

    def to_argument(self) -> str:
        """These as one argument of a command line."""
        return msgspec.json.encode(self, enc_hook=str).decode()

    @staticmethod
    def of_argument(text: str) -> ServerOptions:
        """What `to_argument` has made."""
        return msgspec.json.decode(text, type=ServerOptions, dec_hook=lambda kind, value: kind(value))
