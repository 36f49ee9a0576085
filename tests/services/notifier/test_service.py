"""The notifier beside a real scheduler, with a real webhook and a real mail server."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.services.notifier.receivers import Hook, Mailbox
from tests.services.scheduler_site import Site, WaitUntil
from tests.waiting import wait_for_end
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient
from warpcore.services.notifier.service import KEPT_IN, run_notifier, send_test
from warpcore.services.notifier.state import Pace

QUICK = Pace(ask_s=0.3, silent_s=60.0, gather_s=0.1, first_pause_s=0.2)
WARNING = "gain g.mrc: it lies in the wrong orientation"
ID = f"warning:{hashlib.sha256(WARNING.encode()).hexdigest()[:8]}"


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


@contextmanager
def notifying(site: Site, file: Path, pace: Pace = QUICK) -> Iterator[None]:
    """A notifier in a thread."""
    stop = threading.Event()
    thread = threading.Thread(
        target=run_notifier,
        args=(site.endpoints, site.processing, file),
        kwargs={"stop": stop, "pace": pace},
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        wait_for_end(thread, 20)


def configured(folder: Path, hook: Hook, mailbox: Mailbox | None = None) -> Path:
    """The file of a notifier."""
    text = f'session = "Krios 1"\n[webhook]\nurl = "{hook.url}"\n'
    if mailbox is not None:
        text += '[email]\nto = ["o@example.org"]\nfrom = "w@example.org"\nserver = "127.0.0.1"\n'
        text += f'port = {mailbox.port}\nsecurity = "none"\nuser = "me"\npassword = "hidden-password"\n'
    file = folder / "notify.toml"
    file.write_text(text)
    file.chmod(0o600)
    return file


def warn(client: RequestClient, *warnings: str) -> None:
    """What the discoverer has noticed."""
    client.request(wire.RegisterFiles([], list(warnings)))


def test_an_alarm_and_its_end_are_sent_once_each_way_over_restarts_of_all(
    site: Site, tmp_path: Path, wait_until: WaitUntil, free_ports: Callable[[int], list[int]]
) -> None:
    mailbox = Mailbox(free_ports(1)[0])
    with Hook().running() as hook, mailbox.running():
        file = configured(tmp_path, hook, mailbox)
        with site.running() as client:
            with notifying(site, file):
                warn(client, WARNING)
                wait_until(lambda: hook.told and mailbox.mails, what="the alarm out")
            with notifying(site, file):  # it starts anew and the alarm still holds
                warn(client)
                wait_until(lambda: len(hook.told) == 2 and len(mailbox.mails) == 2, what="its end out")
        assert hook.told == [("raised", ID), ("ended", ID)]
        subjects = [mail["Subject"] for mail in mailbox.mails]
        assert subjects == [f"Krios 1: warning: {WARNING}", f"Krios 1: ended: {WARNING}"]
        assert "hidden" not in (site.processing / KEPT_IN).read_text()


def test_a_webhook_that_is_away_gets_it_later_and_the_log_shows_no_secret(
    site: Site, tmp_path: Path, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Hook().running() as hook:
        hook.status = 503
        with site.running() as client, notifying(site, configured(tmp_path, hook)):
            warn(client, WARNING)
            wait_until(lambda: hook.asked >= 2, what="two tries")
            hook.status = 200
            wait_until(lambda: hook.told == [("raised", ID)], what="the alarm out")
    own = [record.getMessage() for record in caplog.records if record.name.startswith("warpcore")]
    assert any("webhook: the server answers 503" in text for text in own)
    assert not [text for text in own if "hidden" in text]


def test_another_address_counts_at_once_and_a_file_that_cannot_be_used_changes_nothing(
    site: Site, tmp_path: Path, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Hook().running() as first, Hook().running() as second:
        file = configured(tmp_path, first)
        with site.running() as client, notifying(site, file):
            wait_until(lambda: "alarms are sent by webhook" in caplog.text, what="the start")
            file.write_text("nothing")
            wait_until(lambda: "the former one holds" in caplog.text, what="a complaint")
            warn(client, WARNING)
            wait_until(lambda: first.told == [("raised", ID)], what="the alarm at the first address")
            configured(tmp_path, second)
            wait_until(lambda: "has changed" in caplog.text, what="the file read again")
            warn(client)
            wait_until(lambda: second.told == [("ended", ID)], what="its end at the second address")


def test_a_scheduler_that_falls_silent_is_an_alarm_until_it_answers(
    site: Site, tmp_path: Path, wait_until: WaitUntil
) -> None:
    lost, impatient = "scheduler-lost:scheduler", replace(QUICK, silent_s=1.0)
    with Hook().running() as hook, notifying(site, configured(tmp_path, hook), impatient):
        wait_until(lambda: hook.told == [("raised", lost)], 20, what="the alarm out")
        with site.running():
            wait_until(lambda: hook.told == [("raised", lost), ("ended", lost)], 20, what="its end out")


def test_a_test_message_goes_each_way(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    mailbox = Mailbox(free_ports(1)[0])
    with Hook().running() as hook, mailbox.running():
        assert send_test(configured(tmp_path, hook, mailbox)) == ["webhook", "email"]
    assert (hook.told, len(mailbox.mails)) == ([("raised", "test:test")], 1)
