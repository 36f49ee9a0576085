"""Errors that the user sees as one line, and their exit codes."""

from __future__ import annotations

ERROR = 1
USAGE = 2
NO_ANSWER = 3
UNAUTHORISED = 401
CONFIGURATION = 78
"""EX_CONFIG: a service cannot run with this configuration, so starting it again does not help."""

EPILOG = (
    "Exit codes: 0 done; 1 refused or failed (one line on stderr says what); 2 wrong usage; "
    "3 the scheduler does not answer; 78 a service cannot run with this configuration (port in use, missing directory)."
)


class CliError(Exception):
    """An error for the user: one line, or one line a fault, and the exit code."""

    def __init__(self, text: str, code: int = ERROR) -> None:
        super().__init__(text)
        self.code = code


def explained(error: Exception) -> CliError | None:
    """A known error as the user sees it; None for an error in warpcore, which shows its traceback."""
    if isinstance(error, CliError):
        return error
    # Imported here: `warpcore --help` needs none of it.
    from warpcore.bus.client import NoAnswerError, RefusedError
    from warpcore.bus.envelope import WireError
    from warpcore.services.access.private import AccessError
    from warpcore.services.client import ApiError, ClientError, UnreachableError
    from warpcore.services.session.allowed import PathOutsideError
    from warpcore.services.session.settings import SettingsError

    if isinstance(error, NoAnswerError | UnreachableError):
        return CliError(str(error), NO_ANSWER)
    if isinstance(error, ApiError) and error.status == UNAUTHORISED:
        return CliError(f"{error}; give --token-file FILE with one, as `warpcore tokens add --file FILE` writes it")
    if isinstance(error, RefusedError | ClientError):
        return CliError(str(error))
    if isinstance(error, SettingsError | PathOutsideError | WireError | AccessError):
        return CliError(str(error))
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return CliError(f"{where}{error.strerror or error}")
    return None
