"""`python -m warpcore.cli.generate_docs [--check] [ROOT]`: writes the generated tables of the documents.

A new table is a function that returns Markdown and a row of `BLOCKS`; its markers stand in the document.
"""

from __future__ import annotations

import sys
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import get_type_hints

import msgspec

from warpcore.bus.messages import Load
from warpcore.bus.rights import MAY_PUBLISH, MAY_SEND, MAY_SUBSCRIBE, Sender
from warpcore.bus.schema import Message, Port
from warpcore.bus.vocabulary import FailureKind, MovieStatus, Order, Role, ServiceName, Throttling, Verdict, Word
from warpcore.cli import rest_docs, simulation_options
from warpcore.cli.generated_docs import Block, DocsError, stale, table
from warpcore.services.access.credentials import TokenRole
from warpcore.services.api.views import camel
from warpcore.services.session.describing import columns_in_words, descriptions, steps_in_words
from warpcore.services.session.settings import SECTIONS
from warpcore.services.steps.chain import SHIPPED


def requests_table() -> str:
    """Every message that the scheduler handles, from the handlers' own registration."""
    from warpcore.services.scheduler.core.handlers import HANDLERS
    from warpcore.services.scheduler.shell import requests as _requests  # noqa: F401 - registers the shell's handlers

    rows = []
    for port in Port:
        handlers = sorted(
            (one for one in HANDLERS.values() if one.message.PORT is port), key=lambda one: one.message.TYPE
        )
        for one in handlers:
            answers = ", ".join(f"`{answer.TYPE}`" for answer in one.message.ANSWERS) or "one way"
            rows.append([_call(one.message), str(port), answers, "reads" if one.reads else "changes", one.summary])
    return table(["message", "port", "answers", "reads or changes", "does"], rows)


def _call(message: type[Message]) -> str:
    """A message's type with its fields; those in brackets can be left out."""
    names = [one.name if one.required else f"[{one.name}]" for one in msgspec.structs.fields(message)]
    return f"`{message.TYPE}`" + (f" {{{', '.join(names)}}}" if names else "")


def settings_tables() -> str:
    """All settings, a table a section."""
    parts = []
    titles = ("setting", "default", "unit", "allowed", "meaning", "touches")
    for section, found in groupby(descriptions(), lambda one: one.name.partition(".")[0]):
        rows = (
            (
                f"`{one.name}`",
                f"`{one.default_text}`",
                one.unit,
                one.allowed.replace('"', "`"),
                one.description,
                one.touches,
            )
            for one in found
        )
        about = (SECTIONS[section].__doc__ or "").splitlines()[0]
        parts.append(f"## {section}\n\n{about}\n\n{table(titles, rows)}")
    return "\n\n".join(parts)


def outputs_table() -> str:
    """The files of each step that ships."""
    rows = (
        (step.name, f"`{file.path('<movie>', '<suffix>')}`", file.description)
        for step in SHIPPED
        for file in step.outputs
    )
    return table(("step", "file", "content"), rows)


def columns_table() -> str:
    """All measured values."""
    rows = (
        (f"`{name}`", unit, f"`{key}`" if key else "", f"`{label}`" if label else "", description)
        for name, unit, key, label, description in columns_in_words()
    )
    return table(("column", "unit", "in `processed_items.json`", "in STAR files", "meaning"), rows)


def steps_table() -> str:
    """The steps and what they build on."""
    rows = ((f"`{name}`", description, parents, version) for name, parents, version, description in steps_in_words())
    return table(("step", "does", "builds on", "version"), rows)


def load_table() -> str:
    """What a worker's load holds, with the names of REST."""
    hints = get_type_hints(Load, include_extras=True)
    rows = ((f"`{camel(name)}`", hints[name].__metadata__[0].description) for name in Load.__struct_fields__)
    return table(("value", "meaning"), rows)


def alarms_table() -> str:
    """The rules by which alarms come."""
    from warpcore.services.scheduler.core import machine as _machine  # noqa: F401 - registers the rules
    from warpcore.services.scheduler.core.alarms import RULES

    rows = ((f"`{one.kind}`", (one.find.__doc__ or "").partition("\n")[0]) for one in RULES.values())
    return table(("`id` begins with", "it comes for"), rows)


def words_table(title: str, vocabulary: type[Word]) -> str:
    """The words of a vocabulary."""
    return table((title, "meaning"), ((f"`{word.value}`", word.meaning) for word in vocabulary))


def roles_table() -> str:
    """Who holds keys: the roles, and the services of the role service."""
    rows = [(f"`{word}`", word.meaning) for word in Role]
    rows += [(f"`{word}`, of the role service", word.meaning) for word in ServiceName]
    return table(("holder", "does"), rows)


def rights_table() -> str:
    """Who may send, publish and hear what: the table of rights, with what the same holders may do in one row."""
    by_senders: dict[frozenset[Sender], list[str]] = {}
    for type, senders in MAY_SEND.items():
        by_senders.setdefault(senders, []).append(f"`{type}`")
    rows = [(", ".join(sorted(types)), senders) for senders, types in by_senders.items()]
    rows += [
        (f"events `{begin}…`, of itself" if begin == "service." else f"events `{begin}…`", senders)
        for begin, senders in MAY_PUBLISH.items()
    ]
    rows.append(("listen to all events", MAY_SUBSCRIBE))
    return table(("may send or do", "who"), ((what, ", ".join(sorted(senders))) for what, senders in rows))


BLOCKS = (
    Block("docs/wire.md", "requests", requests_table),
    Block("docs/security.md", "roles", roles_table),
    Block("docs/security.md", "rights", rights_table),
    Block("docs/settings.md", "settings", settings_tables),
    Block("docs/rest.md", "requests", rest_docs.requests_table),
    Block("docs/rest.md", "types", rest_docs.types_table),
    Block("docs/rest.md", "parameters", rest_docs.parameters_table),
    Block("docs/rest.md", "statuses", rest_docs.statuses_table),
    Block("docs/rest.md", "connections", rest_docs.connections_table),
    Block("docs/security.md", "token-roles", partial(words_table, "role", TokenRole)),
    Block("docs/rest.md", "load", load_table),
    Block("docs/rest.md", "verdicts", partial(words_table, "verdict", Verdict)),
    Block("docs/alarms.md", "alarms", alarms_table),
    Block("docs/rest.md", "throttling", partial(words_table, "reason", Throttling)),
    Block("docs/outputs.md", "outputs", outputs_table),
    Block("docs/outputs.md", "columns", columns_table),
    Block("docs/simulate.md", "simulation options", simulation_options.table),
    Block("docs/architecture.md", "steps", steps_table),
    Block("docs/architecture.md", "statuses", partial(words_table, "status", MovieStatus)),
    Block("docs/architecture.md", "orders", partial(words_table, "order", Order)),
    Block("docs/architecture.md", "failures", partial(words_table, "failure", FailureKind)),
)


def main(arguments: list[str]) -> int:
    """Write what is stale; with `--check` only say so. Returns the exit code."""
    root = Path(next((one for one in arguments if not one.startswith("-")), "."))
    try:
        changed = stale(root, BLOCKS)
    except (DocsError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    for path, text in changed.items():
        if "--check" in arguments:
            print(f"{path} is stale; run `make docs-tables`", file=sys.stderr)  # noqa: T201
        else:
            path.write_text(text, encoding="utf-8")
    return int(bool(changed) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
