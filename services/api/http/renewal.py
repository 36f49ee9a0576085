"""Takes up a certificate that was renewed while REST is served: sessions run for days, certificates for weeks."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from warpcore.services.api.http.certificates import CertificateError, proven_context, server_context

LOOK_EVERY_S = 2.0
"""Time between looks at the files."""

log = logging.getLogger(__name__)

_Stamp = tuple[int, int, int, int] | None


class Renewal:
    """What REST is served with, made again where the files of the certificate or its key have changed.

    Raises CertificateError where they cannot serve at the start.
    """

    def __init__(self, file: Path, key: Path) -> None:
        self._file, self._key = file, key
        self._judged = self._last = self._stamps()
        self.context: ssl.SSLContext = server_context(file, key)

    def look(self) -> bool:
        """Whether `context` is another one from now on: of new files that have stood still since the last look.

        Files that cannot serve are told in one line, and what is served stays.
        """
        before, self._last = self._last, self._stamps()
        if self._last != before or self._last == self._judged:  # certificate and key are replaced one after the other
            return False
        self._judged = self._last
        try:
            self.context = proven_context(self._file, self._key)
        except CertificateError as error:
            log.warning("%s; until then REST is served by the certificate of before", error)
            return False
        log.info("REST: new connections are served by the renewed certificate %s", self._file)
        return True

    def _stamps(self) -> tuple[_Stamp, _Stamp]:
        return _stamp(self._file), _stamp(self._key)


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
