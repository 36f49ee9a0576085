"""Real servers on the loopback that take what the notifier sends."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword


class Hook:
    """A webhook: `posted` are the documents that it has taken, `headers` those of the last request.

    As long as `status` is no success it takes nothing, and repeats the path in its answer.
    """

    def __init__(self) -> None:
        self.status = 200
        self.asked = 0
        self.posted: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.asked += 1
                hook.headers = dict(self.headers)
                if hook.status == 200:
                    hook.posted.append(json.loads(body))
                self.send_response(hook.status, None if hook.status == 200 else f"not {self.path}")
                if hook.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Where it listens; the path is a secret."""
        return f"http://127.0.0.1:{self._server.server_port}/hidden-path"

    @property
    def told(self) -> list[tuple[str, str]]:
        """Event and id of all alarms, in order."""
        return [(one["event"], one["id"]) for document in self.posted for one in document["alarms"]]

    @contextmanager
    def running(self) -> Iterator[Hook]:
        """While it listens."""
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


class Mailbox:
    """An SMTP server with one user: `mails` are those that it has taken; it takes none as long as `answer` is set."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.mails: list[EmailMessage] = []
        self.receivers: list[str] = []
        self.answer = ""

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:
        """Takes a mail."""
        if self.answer:
            return self.answer
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        self.receivers = list(envelope.rcpt_tos)
        return "250 OK"

    @contextmanager
    def running(self) -> Iterator[Mailbox]:
        """While it listens."""
        controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            authenticator=_authenticated,
            auth_require_tls=False,
            ready_timeout=60.0,
        )
        controller.start()
        try:
            yield self
        finally:
            controller.stop()
            asyncio.set_event_loop(None)


def _authenticated(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=(data.login, data.password) == (b"me", b"hidden-password"), handled=False)
