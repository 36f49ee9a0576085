"""Sends notices by webhook and by e-mail. Errors that they raise hold no address, header or password.

So they hold no words of the server either: some repeat what they were sent.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import smtplib
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import partial
from http.client import HTTPException, responses

from warpcore.services.notifier import wording
from warpcore.services.notifier.configuration import Configuration, Email, Webhook
from warpcore.services.notifier.state import Notice

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0
_ENHANCED_STATUS = re.compile(rb"\b[245]\.\d{1,3}\.\d{1,3}\b")
"""What a mail server means, as RFC 3463 lists it."""
_NAMES_DIFFER = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""

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
    headers = {"Content-Type": "application/json", "User-Agent": "warpcore"}
    try:
        url, credentials = _without_credentials(webhook.url)
        request = urllib.request.Request(url, body, {**headers, **credentials, **webhook.headers}, method="POST")
        with _OPENER.open(request, timeout=TIMEOUT_S):
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise SendError(f"the server answers {error.code} {responses.get(error.code, '')}") from None
    except urllib.error.URLError as error:
        raise SendError(f"the server cannot be reached: {_why(error.reason)}") from None
    except OSError as error:
        raise SendError(f"the connection broke: {_why(error)}") from None
    except (HTTPException, ValueError) as error:  # their texts may show the address
        raise SendError(f"no HTTP with this server: {type(error).__name__}") from None


def _without_credentials(url: str) -> tuple[str, dict[str, str]]:
    """The address without user and password, and the header that has them: urllib takes them for a part of the host.

    So they would be asked for among names of hosts, in the clear. Raises ValueError.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.username is None:
        return url, {}
    pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return bare, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


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
        status = _ENHANCED_STATUS.search(os.fsencode(error.smtp_error))
        detail = f" ({status[0].decode()})" if status else ""
        raise SendError(f"the mail server answers {error.smtp_code}{detail}") from None
    except smtplib.SMTPException as error:
        raise SendError(f"the mail server cannot do that: {error}") from None
    except UnicodeError:  # its text shows letters of the password
        raise SendError("no e-mail can be sent: user, password and addresses need letters of ASCII alone") from None
    except (OSError, ValueError) as error:
        raise SendError(f"no e-mail can be sent: {_why(error)}") from None
    if refused:
        log.warning("the mail server refuses %d of %d receivers", len(refused), len(email.to))


def _why(error: object) -> str:
    """An error in words, without the host's name, which those of certificates hold."""
    if isinstance(error, ssl.SSLCertVerificationError):
        other = error.verify_code in _NAMES_DIFFER
        return "its certificate is for another name" if other else f"certificate refused, {error.verify_message}"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _connected(email: Email) -> smtplib.SMTP:
    if email.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(email.server, email.port, timeout=TIMEOUT_S, context=context)
    return smtplib.SMTP(email.server, email.port, timeout=TIMEOUT_S)
