"""`warpcore tokens`: who may use REST and the page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.cli import access_options as a
from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.access_log import note_change
from warpcore.cli.durations import seconds_in
from warpcore.cli.errors import USAGE, CliError
from warpcore.cli.plan import Ports
from warpcore.services.access.changes import AccessAction
from warpcore.services.access.credentials import DAY_S, LONGEST_LINK_DAYS, Kind, TokenRole, browsers_by_parent

if TYPE_CHECKING:
    from warpcore.services.access.credentials import Credential
    from warpcore.services.access.places import Access
    from warpcore.services.access.tokens import TokenStore

NEVER = "never"

app = typer.Typer(
    no_args_is_help=True, help="Tokens for REST and the page: add, list, revoke, and links to sign in by."
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the token or link; the history of changes shows it.")
]
PageUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="WARPCORE_URL",
        help="The page as whoever opens the link reaches it.",
        show_default="your running session's",
    ),
]
Expires = Annotated[
    str, typer.Option("--expires", metavar="TIME", help="How long it holds: 30m, 12h, 7d; a token also: never.")
]


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="tokens", rich_help_panel="Control")


@app.command()
def add(
    name: Name,
    role: Annotated[TokenRole, typer.Option("--role", help="view: see the session. operate: also change it.")],
    expires: Expires = "30d",
    file: Annotated[
        Path | None, typer.Option("--file", help="Write it there, with mode 0600, in place of printing it.")
    ] = None,
    access: a.Access = None,
    processing: a.OfSession = None,
) -> None:
    """Make a token, and print it this once: it is not stored."""
    from warpcore.services.access.private import write_private

    now = time.time()
    life_s = lifetime_s(expires)
    where = a.access_of(access, processing)
    store = _store(where, new=True)
    token = store.add(name, role, None if life_s is None else now + life_s, now)
    if file is None:
        output.data(token)
    else:
        try:
            write_private(file, f"{token}\n")
        except OSError as error:
            store.revoke(name, now)  # nobody would have it
            raise CliError(f"{file} cannot be written ({error.strerror}); no token was made") from None
    lasting = "without end" if life_s is None else f"for {expires}"
    note_change(where, AccessAction.TOKEN_ADDED, f"token {name} made, role {role}, {lasting}")
    output.note(f"{name} may {role}{'' if life_s is None else f' until {output.local_time(now + life_s)}'}")


@app.command(name="list")
def list_(access: a.Access = None, processing: a.OfSession = None, as_json: o.AsJson = False) -> None:
    """Show tokens and viewer links, oldest first: role, until when they hold, how many browsers they keep signed in."""
    from rich.table import Table

    now = time.time()
    known = _store(a.access_of(access, processing)).all()
    named = [one for one in known if not one.parent]
    signed_in = browsers_by_parent(known, now)
    if as_json:
        output.as_json([_as_json(one, signed_in[one.id], now) for one in named])
        return
    table = Table("name", "kind", "role", "browsers", "made", "holds", box=None)
    for one in named:
        browsers, made = str(signed_in[one.id]), output.local_time(one.made_at)
        table.add_row(one.name, _kind(one), one.role, browsers, made, _holds(one, now))
    output.table(table)


@app.command()
def revoke(name: Name, access: a.Access = None, processing: a.OfSession = None) -> None:
    """End a token or viewer link, at once, with all browsers that it has signed in."""
    where = a.access_of(access, processing)
    if _store(where).revoke(name, time.time()) is Kind.LINK:
        note_change(where, AccessAction.LINK_REVOKED, f"viewer link {name} revoked")
    else:
        note_change(where, AccessAction.TOKEN_REVOKED, f"token {name} revoked")
    output.note(f"{name}: revoked")


@app.command()
def link(
    name: Name,
    expires: Expires = "7d",
    browsers: Annotated[int, typer.Option("--browsers", min=1, max=100, help="How many may be signed in by it.")] = 1,
    url: PageUrl = None,
    access: a.Access = None,
    processing: a.OfSession = None,
) -> None:
    """Make a link by which others see this session and change nothing."""
    from urllib.parse import urlsplit

    from warpcore.cli.own_keys import is_loopback
    from warpcore.services.access.credentials import SIGN_IN_FRAGMENT

    life_s = lifetime_s(expires)
    if life_s is None or life_s > LONGEST_LINK_DAYS * DAY_S:
        told = f"a viewer link must end: give --expires 30m, 12h or 7d, at most {LONGEST_LINK_DAYS}d"
        raise CliError(told, USAGE)
    now = time.time()
    where = a.access_of(access, processing)
    code = _store(where, new=True).add_link(name, now + life_s, browsers, now)
    note_change(where, AccessAction.LINK_ADDED, f"viewer link {name} made, for {expires}")
    page = _page(url, where)
    output.data(f"{page}/{SIGN_IN_FRAGMENT}{code}")
    output.note(f"holds until {output.local_time(now + life_s)}, for {browsers} browser{'s' if browsers > 1 else ''}")
    if is_loopback(urlsplit(page).hostname or ""):
        output.note("opens on this host alone: --url names the page as browsers of other hosts reach it")


@app.command(name="sign-in")
def sign_in(url: PageUrl = None, access: a.Access = None, processing: a.OfSession = None) -> None:
    """Print a link that signs one browser in as you, who run the session. It can be used once, within the hour."""
    from warpcore.services.access.operator import operator_name, sign_in_link

    meant = a.access_of(access, processing)
    now = time.time()
    name = operator_name(meant, now)
    if not name:
        told = "`warpcore up` makes one; without it, `warpcore tokens add NAME --role operate`"
        raise CliError(f"{meant.folder} has no token of who runs the session: {told}")
    link = sign_in_link(meant, _page(url, meant), name, now)
    note_change(meant, AccessAction.SIGN_IN_LINK, f"sign-in link of {name} made")
    output.data(link)


def lifetime_s(text: str) -> float | None:
    """`7d` in seconds, None for `never`. Raises CliError."""
    found_s = seconds_in(text)
    if found_s is None and text != NEVER:
        raise CliError(f"--expires {text}: give a time such as 30m, 12h or 7d, or never", USAGE)
    return found_s


def _page(url: str | None, access: Access) -> str:
    """The page's address as given, else that of the user's running session with these tokens."""
    from warpcore.services.access.sessions import session_with
    from warpcore.services.api.service import url as address

    session = session_with(access.folder)
    own = session.page if session is not None else ""
    return (url or own or address("127.0.0.1", Ports().rest)).rstrip("/")


def _store(meant: Access, *, new: bool = False) -> TokenStore:
    """The tokens of an access directory; `new`: they may be the first ones. Raises AccessError, OSError."""
    from warpcore.services.access.private import check_folder, make_private
    from warpcore.services.access.tokens import TokenStore

    (make_private if new else check_folder)(meant.folder)
    store = TokenStore(meant.tokens)
    store.make()
    return store


def _kind(one: Credential) -> str:
    return one.kind.name.lower()


def _holds(one: Credential, now: float) -> str:
    if one.revoked_at is not None:
        return f"revoked {output.local_time(one.revoked_at)}"
    if one.expires_at is None:
        return "until it is revoked"
    return f"{'until' if now < one.expires_at else 'expired'} {output.local_time(one.expires_at)}"


def _as_json(one: Credential, signed_in: int, now: float) -> dict[str, object]:
    return {
        "name": one.name,
        "kind": _kind(one),
        "role": one.role,
        "made_at": one.made_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
        "holds": one.holds(now),
        "browsers": signed_in,
    }
