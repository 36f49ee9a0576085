"""`warpcore keys`: which peers may connect to a session, and the file that each of them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.vocabulary import Role, ServiceName, in_words
from warpcore.cli import access_options as a
from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.access_log import note_change
from warpcore.cli.plan import Ports

if TYPE_CHECKING:
    from warpcore.services.access.places import Access

keys = typer.Typer(help="Keys of workers, services and people: made, listed, revoked.", no_args_is_help=True)

KeyName = Annotated[
    str, typer.Argument(metavar="NAME", help="Of a worker: how its names begin. Of a person: who asked, in the audit.")
]
KnownName = Annotated[str, typer.Argument(metavar="NAME", help="Of the key, as `warpcore keys list` shows it.")]
OfRole = Annotated[Role, typer.Option("--role", help=in_words(Role))]
OfService = Annotated[
    ServiceName | None, typer.Option("--service", help=f"Of the role service. {in_words(ServiceName)}")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(keys, name="keys", rich_help_panel="Control")


@keys.command()
def init(access: a.Access = None, processing: a.OfSession = None) -> None:
    """Make the access directory of a session, with the scheduler's own key. `warpcore up` does so by itself."""
    from warpcore.services.access.keys import init as make

    where = a.access_of(access, processing)
    output.note(f"{where.folder}: {'made' if make(where) else 'was there already'}")


@keys.command()
def add(
    name: KeyName, role: OfRole, service: OfService = None, access: a.Access = None, processing: a.OfSession = None
) -> None:
    """Make a key and print its file, the only one that its holder needs. It may connect at once."""
    from warpcore.bus.keys import Holder
    from warpcore.services.access.changes import AccessAction
    from warpcore.services.access.keys import add as make

    if (role is Role.SERVICE) != (service is not None):
        raise typer.BadParameter(f"--role service, and no other, needs --service {'|'.join(ServiceName)}")
    where = a.access_of(access, processing)
    path = make(where, Holder(name, role, service))
    note_change(where, AccessAction.KEY_ADDED, f"key {name} made, role {role}{f' {service}' if service else ''}")
    serves = "pool run POOL.toml" if service is ServiceName.POOL else service
    use = {
        Role.WORKER: "warpcore worker --scheduler HOST --key FILE",
        Role.SERVICE: f"warpcore {serves} --scheduler HOST --key FILE",
    }.get(role, "WARPCORE_KEY=FILE")
    output.note(f"{role} {name}: copy this file to where it is used, mode 0600, and give it there: {use}")
    if ports := _unusual_ports(where):
        output.note(f"and, of the ports of this session, those that the command there has options for: {ports}")
    output.data(str(path))


@keys.command(name="list")
def list_(as_json: o.AsJson = False, access: a.Access = None, processing: a.OfSession = None) -> None:
    """Show the keys that may connect, oldest first."""
    from rich.table import Table

    from warpcore.services.access.keys import known_keys

    found = known_keys(a.access_of(access, processing))
    if as_json:
        output.as_json(
            [{"name": one.name, "role": one.role, "service": one.service, "made_at": one.made_at} for one in found]
        )
        return
    table = Table("name", "role", "service", "made", box=None)
    for one in found:
        table.add_row(one.name, one.role, one.service or "", output.local_time(one.made_at))
    output.table(table)


@keys.command()
def revoke(name: KnownName, access: a.Access = None, processing: a.OfSession = None) -> None:
    """Take a key's rights, on open connections too, within a second, and delete its file here."""
    from warpcore.services.access.changes import AccessAction
    from warpcore.services.access.keys import revoke as take

    where = a.access_of(access, processing)
    gone = take(where, name)
    note_change(where, AccessAction.KEY_REVOKED, f"key {gone.name} revoked, role {gone.role}")
    output.note(f"{gone.role} {gone.name}: revoked")


def _unusual_ports(access: Access) -> str:
    """The options that say at which ports the session with this access directory runs; "" for the usual ones."""
    from msgspec.structs import asdict

    from warpcore.services.access.sessions import session_with

    session = session_with(access.folder)
    if session is None:
        return ""
    usual, own = Ports().by_option(), Ports(**asdict(session.ports)).by_option()
    return " ".join(f"{option} {port}" for option, port in own.items() if option != "--port" and port != usual[option])
