"""Who changed what: which requests are written down and in which words, without sockets and files."""

from __future__ import annotations

import pytest

from tests.services.scheduler_world import World, arrived
from tests.services.test_scheduler_hand_picks import processed
from warpcore.bus import messages as wire
from warpcore.bus.schema import Message, Port
from warpcore.bus.vocabulary import AuditOutcome, FailureKind, Order, Selection
from warpcore.services.scheduler.core import audit
from warpcore.services.scheduler.core.audit_words import LONGEST_DETAIL, OF_SERVICES, WORDS
from warpcore.services.scheduler.core.effects import Effect
from warpcore.services.scheduler.core.handlers import HANDLERS
from warpcore.services.scheduler.core.rows import AuditRow
from warpcore.services.scheduler.core.stimuli import ChangeSettings, FromControl, StartTry, Tick
from warpcore.services.scheduler.core.wording import without_credentials
from warpcore.services.scheduler.shell import requests as _requests  # noqa: F401 - registers the shell's handlers
from warpcore.services.session.settings import parse_settings, patch_settings


class Book:
    """A world whose requests are written down, those of other times a minute and more later."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.trail = audit.Trail(0)
        self.rows: dict[int, AuditRow] = {}

    def do(self, message: Message, user: str = "ada", via: str = "cli") -> list[str]:
        """Carry out a request; what is written of it."""
        asked = audit.asking(arrived(message), user, via)
        assert asked is not None
        written = self.trail.done(asked, self._effects(message), self.world.now, self.world.now)
        self.rows |= {one.row.id: one.row for one in written}
        return [one.row.detail for one in written]

    def refused(self, action: str = "settings.patch", why: str = "no right") -> list[str]:
        written = self.trail.refused(audit.Who("eve"), action, why, self.world.now, self.world.now)
        self.rows |= {one.row.id: one.row for one in written}
        return [one.row.detail for one in written]

    def _effects(self, message: Message) -> list[Effect]:
        """Of settings the shell checks the files first."""
        present = self.world.state.settings
        match arrived(message):
            case wire.PatchSettings(settings):
                return self.world.do(ChangeSettings(patch_settings(present, settings), ""))
            case wire.PutSettings(settings):
                return self.world.do(ChangeSettings(parse_settings(settings), "", whole=True))
            case wire.StartTry(name, settings):
                return self.world.do(StartTry(name, patch_settings(present, settings), "", settings))
            case other:
                return self.world.do(FromControl(other))


@pytest.fixture
def book() -> Book:
    """Of a session with two processed movies, `a` and `b`, and two that have failed, `c` and `d`; it is paused."""
    world = processed()
    world.files("c.tif", "d.tif")
    for name in ("c", "d"):
        world.fail(name, "input")
    world.ask(wire.PauseProcessing())
    return Book(world)


def test_each_request_of_a_person_that_changes_something_has_its_words() -> None:
    """A new handler is either in `WORDS` or named as a service's own."""
    changing = {type for type, one in HANDLERS.items() if type.PORT is Port.CONTROL and not one.reads}
    assert set(WORDS) | OF_SERVICES == changing
    assert not set(WORDS) & OF_SERVICES


def test_settings_are_told_with_their_old_and_new_values(book: Book) -> None:
    assert book.do(wire.PatchSettings({"ctf": {"cs": 2.0, "voltage": 200}})) == [
        "settings 1: ctf.voltage null → 200.0, ctf.cs null → 2.0"
    ]
    assert book.do(wire.PatchSettings({"ctf": {"cs": 2.0}})) == [], "nothing has changed"
    assert book.do(wire.PutSettings({"ctf": {"cs": 2.7, "voltage": 200}, "picking": {"diameter": 130.0}})) == [
        "settings 2: ctf.cs 2.0 → 2.7"
    ]


def test_profiles_are_told(book: Book) -> None:
    assert book.do(wire.SaveProfile("mine")) == ["profile mine saved: the settings in force"]
    assert book.do(wire.SaveProfile("mine", {})) == ["profile mine saved: other settings than those in force"]
    assert book.do(wire.SaveProfile("a/b")) == [], "it was refused as impossible"
    assert book.do(wire.DeleteProfile("mine")) == ["profile mine deleted"]
    assert book.do(wire.DeleteProfile("mine")) == []


def test_what_is_so_already_is_not_told_again(book: Book) -> None:
    assert book.do(wire.PauseProcessing()) == []
    assert book.do(wire.StartProcessing()) == ["processing goes on"]
    assert book.do(wire.PauseProcessing()) == ["processing is paused"]
    assert book.do(wire.OrderProcessing(Order.LATEST)) == ["movies run in the order latest"]
    assert book.do(wire.OrderProcessing(Order.LATEST)) == []


def test_selections_are_told_with_how_many_movies_they_change(book: Book) -> None:
    assert book.do(wire.SelectItem("a", Selection.EXCLUDE)) == ["a: exclude"]
    assert book.do(wire.SelectItem("a", Selection.EXCLUDE)) == []
    (told,) = book.do(wire.SelectItems(Selection.EXCLUDE, names=["a", "b", "c"]))
    change = book.world.ask(wire.GetSelections()).changes[0].undo
    assert told == f"2 movies: exclude (change {change})"
    assert book.do(wire.UndoSelection(change)) == [f"2 movies: change {change} of selections taken back"]
    assert book.do(wire.UndoSelection(change)) == [], "it was taken back already"
    assert book.do(wire.SelectItems(Selection.EXCLUDE, names=["a", "nobody"])) == []


def test_one_change_in_many_messages_is_one_entry(book: Book) -> None:
    book.do(wire.SelectItems(Selection.EXCLUDE, names=["a"]))
    (change,) = (one.undo for one in book.world.ask(wire.GetSelections()).changes)
    book.do(wire.SelectItems(Selection.EXCLUDE, names=["b", "c"], undo=change))
    assert [row.detail for row in book.rows.values()] == [f"3 movies: exclude (change {change})"]
    book.do(wire.SelectItems(Selection.EXCLUDE, names=["d"], undo=change), user="bob")
    assert [row.user for row in book.rows.values()] == ["ada", "bob"], "two people give two entries"
    book.do(wire.UndoSelection(change))
    book.do(wire.UndoSelection(change))
    assert list(book.rows) == [1, 2, 3]


def test_edits_of_a_movies_picks_that_follow_each_other_are_one_entry(book: Book) -> None:
    for count in (1, 2, 3):
        book.world.now += 5
        book.do(wire.SetItemPicks("a", [(10.0 * one, 20.0) for one in range(count)], [(30.0, 40.0)]))
    assert [(row.detail, row.at) for row in book.rows.values()] == [
        ("a: picks edited by hand: 3 added, 1 removed", book.world.now)
    ]
    book.do(wire.SetItemPicks("b", [(10.0, 20.0)]))
    book.world.now += audit.JOINED_S
    book.do(wire.SetItemPicks("b", [(10.0, 20.0), (1.0, 1.0)]))
    book.do(wire.UndoItemPicks("b"))
    assert [row.detail for row in book.rows.values()][1:] == [
        "b: picks edited by hand: 1 added, 0 removed",
        "b: picks edited by hand: 2 added, 0 removed",
        "b: edits of picks taken back",
    ]


def test_an_entry_that_may_not_have_been_stored_is_not_joined(book: Book) -> None:
    book.do(wire.SetItemPicks("a", [(10.0, 20.0)]))
    book.trail.forget()
    book.do(wire.SetItemPicks("a", [(10.0, 20.0), (1.0, 1.0)]))
    assert list(book.rows) == [1, 2]


def test_what_is_done_to_failed_movies_is_told(book: Book) -> None:
    assert book.do(wire.RetryItem("c", force=True)) == ["c: run again, all steps"]
    assert book.do(wire.RetryItem("a")) == [], "it has not failed"
    assert book.do(wire.RetryItems(FailureKind.INPUT)) == ["1 movie: run again after input failures"]
    assert book.do(wire.RetryItems()) == []
    assert book.do(wire.PrioritiseItem("c", 3)) == ["c: priority 3"]
    assert book.do(wire.PrioritiseItem("c", 3)) == []
    assert book.do(wire.PrioritiseItem("d", first=True)) == ["d: priority 4, ahead of all others"]
    assert book.do(wire.ForgetItems(names=["c"])) == [], "it has not failed any more"


def test_movies_that_are_forgotten_are_named(book: Book) -> None:
    assert book.do(wire.ForgetItems(names=["a", "c", "d"])) == ["2 movies: forgotten (c, d)"]


def test_tries_and_exports_are_told(book: Book) -> None:
    world = book.world
    (told,) = book.do(wire.StartTry("b", {"ctf": {"range_max": 5.0}}))
    (attempt,) = world.ask(wire.GetTries()).tries
    assert told == f"{attempt.id} of b: ctf.range_max = 5.0"
    assert book.do(wire.DeleteTry(attempt.id)) == [f"{attempt.id} of b deleted"]
    assert book.do(wire.StartExport("micrographs", {"halves": True})) == [
        "job-1: micrographs of 2 movies, halves = true"
    ]
    assert book.do(wire.CancelExport("job-1")) == ["job-1 (micrographs) cancelled"]
    assert book.do(wire.CancelExport("job-1")) == []
    assert book.do(wire.DeleteExport("job-1")) == ["job-1 (micrographs) deleted, with its folder"]
    assert book.do(wire.DeleteExport("job-2")) == []


def test_an_alarm_that_somebody_has_seen_is_told(book: Book) -> None:
    world = book.world
    world.ask(wire.RegisterFiles([], warnings=["a folder cannot be read"]))
    world.do(Tick())
    (alarm,) = (one for one in world.ask(wire.GetAlarms()).alarms if "folder" in one.text)
    assert book.do(wire.AcknowledgeAlarm(alarm.id)) == [f"alarm seen: {alarm.title or alarm.text}"]
    assert book.do(wire.AcknowledgeAlarm(alarm.id)) == []


def test_who_asks_is_kept_as_proven_as_typed_and_by_which_program() -> None:
    asked = audit.asking(wire.PatchSettings({}, by="Ada\nLovelace" + "x" * 200), "ada", "api")
    assert asked is not None
    assert (asked.who.user, asked.who.via) == ("ada", "api")
    assert asked.who.by.startswith(r"Ada\nLovelace"), "no name begins a line of its own"
    assert len(asked.who.by) == 100
    assert audit.asking(wire.GetSettings(), "ada", "api") is None, "who only reads changes nothing"
    assert audit.asking(wire.RegisterFiles([]), "", "discoverer") is None, "no person asks that"


def test_what_is_told_is_one_line_of_bounded_length_without_credentials(book: Book) -> None:
    (told,) = book.refused(why="no right to\nhttps://u:pw@h/x?token=s3cret" + " and so on" * 200)
    assert told.startswith(r"no right to\nhttps://…@h/x?token=… and so on and")
    assert len(told) <= LONGEST_DETAIL
    assert audit.who(wire.PatchSettings({}, by="https://u:pw@h"), "", "cli").by == "https://…@h"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ada:pass@host/x", "https://…@host/x"),
        ("smtp://user@host:25", "smtp://…@host:25"),
        ("https://h/hook?api_key=abc&x=1", "https://h/hook?api_key=…&x=1"),
        ("mail ada@host at https://h/a@b", "mail ada@host at https://h/a@b"),
    ],
)
def test_credentials_in_urls_are_masked(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


def test_refused_requests_are_told_and_a_flood_of_them_is_counted(book: Book) -> None:
    flood = 3 * audit.MOST_REFUSED
    told = [text for _ in range(flood) for text in book.refused()]
    assert told == ["no right"] * audit.MOST_REFUSED
    book.world.now += audit.REFUSED_WITHIN_S
    assert book.refused() == [f"no right (before that, {flood - audit.MOST_REFUSED} more were refused)"]
    assert book.refused() == ["no right"]
    assert {row.outcome for row in book.rows.values()} == {"refused"}


def test_what_the_api_has_done_or_refused_itself_is_told_as_such(book: Book) -> None:
    refused = wire.NoteAudit("POST /api/processing/pause", "the token eve may only view", AuditOutcome.REFUSED)
    done = wire.NoteAudit("link.add", "a link for viewers, until tomorrow", AuditOutcome.DONE)
    assert book.do(refused, user="eve", via="api") == ["the token eve may only view"]
    assert book.do(done, user="ada", via="api") == ["a link for viewers, until tomorrow"]
    assert [(row.user, row.action, row.outcome) for row in book.rows.values()] == [
        ("eve", "POST /api/processing/pause", "refused"),
        ("ada", "link.add", "done"),
    ]
    assert [len(book.do(refused)) for _ in range(audit.MOST_REFUSED)] == [*[1] * (audit.MOST_REFUSED - 1), 0]


def test_ids_go_on_from_those_that_are_stored(book: Book) -> None:
    book.trail = audit.Trail(41)
    book.do(wire.StartProcessing())
    assert list(book.rows) == [42]
