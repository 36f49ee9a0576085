"""A client of a session's REST API, for scripts and notebooks; it needs what is installed with warpcore.

    from warpcore.services.client import Session

    session = Session("http://127.0.0.1:5000")
    session.wait_until_done()
    series = session.series("name", "ctf.defocusUm", "ctf.resolutionAngstrom")
    good = series["ctf.resolutionAngstrom"] < 4

Answers are the types of `warpcore.services.api.views`, by which the API itself writes them.
"""

from warpcore.services.client._errors import ApiError, ClientError, UnreachableError
from warpcore.services.client._events import Event
from warpcore.services.client._series import Series
from warpcore.services.client._session import Session

__all__ = ["ApiError", "ClientError", "Event", "Series", "Session", "UnreachableError"]
