"""`python -m warpcore.cli.generate_docs [--check] [ROOT]`: writes the generated tables of the documents.

A new table is a function that returns Markdown and a row of `BLOCKS`; its markers stand in the document.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from warpcore.bus.schema import Message
from warpcore.cli.generated_docs import Block, DocsError, stale, table


def requests_table() -> str:
    """Every message that the scheduler handles, from the handlers' own registration."""
    from warpcore.services.scheduler.core.handlers import HANDLERS, Port
    from warpcore.services.scheduler.shell import requests as _requests  # noqa: F401 - registers the shell's handlers

    rows = []
    for port in Port:
        handlers = sorted((one for one in HANDLERS.values() if one.port is port), key=lambda one: one.message.TYPE)
        for one in handlers:
            answers = ", ".join(f"`{answer.TYPE}`" for answer in one.answers) or "one way"
            rows.append([_call(one.message), str(port), answers, "reads" if one.reads else "changes", one.summary])
    return table(["message", "port", "answers", "reads or changes", "does"], rows)


def _call(message: type[Message]) -> str:
    """A message's type with its fields; those in brackets can be left out."""
    names = []
    for one in dataclasses.fields(message):  # type: ignore[arg-type]
        optional = one.default is not dataclasses.MISSING or one.default_factory is not dataclasses.MISSING
        names.append(f"[{one.name}]" if optional else one.name)
    return f"`{message.TYPE}`" + (f" {{{', '.join(names)}}}" if names else "")


BLOCKS = (Block("docs/wire.md", "requests", requests_table),)


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
