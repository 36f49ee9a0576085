"""Sends notices by webhook and by e-mail. Errors that they raise hold no address, header or password."""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import partial
from http.client import HTTPException

from warpcore.services.notifier import wording
from warpcore.services.notifier.configuration import Configuration, Email, Webhook
from warpcore.services.notifier.state import Notice

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0

Send = Callable[[Sequence[Notice]], None]
"""Sends notices in one message. Raises SendError."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leads nowhere else: that would lose the notices, and show the headers to another host."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


class SendError(Exception):
    """They were not taken; one line that says why."""


def channels(configuration: Configuration) -> Mapping[str, Send]:
    """The channels of a configuration, by name."""
    found: dict[str, Send] = {}
    if configuration.webhook is not None:
        found["webhook"] = partial(post, configuration.webhook, configuration.session)
    if configuration.email is not None:
        found["email"] = partial(mail, configuration.email, configuration.session)
    return found


def post(webhook: Webhook, session: str, notices: Sequence[Notice]) -> None:
    """Post notices as JSON. Raises SendError."""
    body = json.dumps(wording.document(notices, session)).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "warpcore", **webhook.headers}
    try:
        request = urllib.request.Request(webhook.url, body, headers, method="POST")
        with _OPENER.open(request, timeout=TIMEOUT_S):
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise SendError(f"the server answers {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise SendError(f"the server cannot be reached: {error.reason}") from None
    except OSError as error:
        raise SendError(f"the connection broke: {error.strerror or type(error).__name__}") from None
    except (HTTPException, ValueError) as error:  # their texts may show the address
        raise SendError(f"no HTTP with this server: {type(error).__name__}") from None


def mail(email: Email, session: str, notices: Sequence[Notice]) -> None:
    """Send notices as one e-mail. Raises SendError."""
    message = EmailMessage()
    message["Subject"] = wording.subject(notices, session)
    message["From"], message["To"] = email.sender, ", ".join(email.to)
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=email.sender.rpartition("@")[2])
    message.set_content(f"{wording.text(notices)}\n\n`warpcore alarms` shows what holds now.\n")
    try:
        password = email.secret()
        with _connected(email) as server:
            if email.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if email.user:
                server.login(email.user, password)
            refused = server.send_message(message)
    except smtplib.SMTPAuthenticationError as error:
        raise SendError(f"the mail server does not take user and password ({error.smtp_code})") from None
    except smtplib.SMTPRecipientsRefused:
        raise SendError("the mail server refuses all receivers") from None
    except smtplib.SMTPResponseException as error:
        raise SendError(f"the mail server answers {error.smtp_code} {error.smtp_error!r}") from None
    except smtplib.SMTPException as error:
        raise SendError(f"the mail server cannot do that: {error}") from None
    except (OSError, ValueError) as error:
        raise SendError(f"no e-mail can be sent: {getattr(error, 'strerror', None) or error}") from None
    if refused:
        log.warning("the mail server refuses %d of %d receivers", len(refused), len(email.to))


def _connected(email: Email) -> smtplib.SMTP:
    if email.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(email.server, email.port, timeout=TIMEOUT_S, context=context)
    return smtplib.SMTP(email.server, email.port, timeout=TIMEOUT_S)
