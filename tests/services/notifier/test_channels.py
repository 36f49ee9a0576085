"""Notices over real HTTP and SMTP."""

from __future__ import annotations

import base64
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.services.api.certificates import made
from tests.services.notifier.receivers import Hook, Mailbox
from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import Severity
from warpcore.services.notifier.channels import SendError, mail, post
from warpcore.services.notifier.configuration import Email, Webhook
from warpcore.services.notifier.state import Notice

ICE = Alarm("limits:ctf.ice_ring", Severity.WARNING, "ctf.ice_ring", "ice ring: 2 of\nthe last 25 …", 0.0, "ice ring")
GONE = Alarm("no-worker:workers", Severity.CRITICAL, "workers", "7 movies wait; start one", 0.0, "no worker runs")
NOTICES = [Notice(ICE, 60.0, ended=True), Notice(GONE, 120.0)]


def test_a_webhook_gets_text_for_chats_and_data_for_programs() -> None:
    with Hook().running() as hook:
        post(Webhook(hook.url, {"Authorization": "Bearer hidden-token"}), "Krios 1", NOTICES)
        (document,) = hook.posted
        assert document["text"].splitlines() == [
            "Krios 1: critical: no worker runs; 1 more",
            "1970-01-01 00:01 UTC ended: ice ring",
            "1970-01-01 00:02 UTC critical: 7 movies wait; start one",
        ]
        assert hook.told == [("ended", ICE.id), ("raised", GONE.id)]
        assert document["alarms"][1]["at"] == "1970-01-01T00:02:00+00:00"
        assert hook.headers["Authorization"] == "Bearer hidden-token"
        assert hook.headers["Content-Type"] == "application/json"


def test_user_and_password_of_an_address_are_sent_as_a_header_and_are_no_part_of_the_host() -> None:
    with Hook().running() as hook:
        url = hook.url.replace("http://", "http://me:hidden%2Bword%40@")
        post(Webhook(url), "s", NOTICES)
        assert base64.b64decode(hook.headers["Authorization"].removeprefix("Basic ")) == b"me:hidden+word@"
        assert "@" not in hook.headers["Host"]
        post(Webhook(url, {"Authorization": "Bearer x"}), "s", NOTICES)
        assert hook.headers["Authorization"] == "Bearer x"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_does_not_take_it_is_an_error_without_its_address(status: int) -> None:
    with Hook().running() as hook:
        hook.status = status
        with pytest.raises(SendError, match=rf"the server answers {status} ") as raised:
            post(Webhook(hook.url), "s", NOTICES)
        assert "hidden" not in str(raised.value)
        assert hook.asked == 1, "a redirection is not followed"


def test_a_webhook_that_is_not_there_is_an_error_without_its_address(free_ports: Callable[[int], list[int]]) -> None:
    (port,) = free_ports(1)
    with pytest.raises(SendError, match="cannot be reached") as raised:
        post(Webhook(f"http://127.0.0.1:{port}/hidden-path"), "s", NOTICES)
    assert "hidden" not in str(raised.value)


@pytest.fixture
def mailbox(free_ports: Callable[[int], list[int]]) -> Mailbox:
    return Mailbox(free_ports(1)[0])


def address(mailbox: Mailbox, password: str = "hidden-password", security: str = "none") -> Email:
    to = ["one@example.org", "two@example.org"]
    return Email(to, "w@example.org", "127.0.0.1", mailbox.port, security, "me", password)  # type: ignore[arg-type]


def test_an_email_says_it_in_subject_and_text(mailbox: Mailbox) -> None:
    with mailbox.running():
        mail(address(mailbox), "Krios 1", NOTICES)
    (message,) = mailbox.mails
    assert message["Subject"] == "Krios 1: critical: no worker runs; 1 more"
    assert (message["From"], message["To"]) == ("w@example.org", "one@example.org, two@example.org")
    assert mailbox.receivers == ["one@example.org", "two@example.org"]
    assert message["Message-ID"].endswith("@example.org>")
    text = message.get_content()
    assert "1970-01-01 00:01 UTC ended: ice ring" in text
    assert "1970-01-01 00:02 UTC critical: 7 movies wait; start one" in text


def test_a_wrong_password_and_a_server_without_encryption_are_errors_without_the_password(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with mailbox.running():
        with pytest.raises(SendError, match="does not take user and password") as wrong:
            mail(address(mailbox, "hidden-wrong"), "s", NOTICES)
        with pytest.raises(SendError, match="STARTTLS") as plain:
            mail(address(mailbox, security="starttls"), "s", NOTICES)
    with pytest.raises(SendError, match="Connection refused"):
        mail(address(mailbox), "s", NOTICES)
    assert mailbox.mails == []
    own = [record.getMessage() for record in caplog.records if record.name.startswith("warpcore")]
    assert "hidden" not in "".join([str(wrong.value), str(plain.value), *own])


def test_what_a_mail_server_says_is_told_by_its_numbers_since_it_may_repeat_the_password(mailbox: Mailbox) -> None:
    mailbox.answer = "554 5.7.1 nothing of me, hidden-password"
    with mailbox.running(), pytest.raises(SendError) as raised:
        mail(address(mailbox), "s", NOTICES)
    assert str(raised.value) == "the mail server answers 554 (5.7.1)"


def test_no_letter_of_a_password_is_told(mailbox: Mailbox) -> None:
    with mailbox.running(), pytest.raises(SendError, match="letters of ASCII alone"):
        mail(address(mailbox, "hidden-ß"), "s", NOTICES)


def test_a_certificate_for_another_name_is_told_without_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = made(tmp_path, names="DNS:hidden.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve() -> None:
        with suppress(OSError):
            server.accept()

    with context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        email = Email(["a@b.example"], "a@b.example", "localhost", server.getsockname()[1], "tls")
        with pytest.raises(SendError) as raised:
            mail(email, "s", NOTICES)
        thread.join(10)
    assert str(raised.value) == "no e-mail can be sent: its certificate is for another name"
