"""The `warpcore` command."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from warpcore.cli import (
    alarms,
    audit,
    check,
    control,
    demo,
    errors,
    export,
    gain_check,
    import_star,
    import_warp,
    items,
    keys,
    output,
    picker_commands,
    pool,
    pool_run,
    process,
    records,
    report,
    services,
    session_option,
    sessions,
    settings,
    settings_history,
    simulate,
    squares,
    status,
    tap,
    tokens,
    tries,
    up,
    worker,
)

app = typer.Typer(
    name="warpcore",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Live cryo-EM movie processing: motion, CTF, picking and export beside the microscope.",
    epilog=errors.EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    up,
    demo,
    sessions,
    check,
    status,
    alarms,
    audit,
    control,
    items,
    report,
    export,
    settings,
    settings_history,
    tap,
    tries,
    pool,
    pool_run,
    keys,
    tokens,
    process,
    import_star,
    import_warp,
    records,
    gain_check,
    simulate,
    squares,
    picker_commands,
    services,
    worker,
):
    module.register(app)
session_option.let_name_sessions(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        from warpcore.services.process.versions import warpcore_version

        output.data(f"warpcore {warpcore_version()}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Live cryo-EM movie processing: motion, CTF, picking and export beside the microscope."""


def run() -> None:
    """Entry point: known errors end in one line on stderr and their exit code."""
    try:
        app(prog_name="warpcore")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has closed the pipe, as `warpcore items | head` does: there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(errors.ERROR)
    except Exception as error:
        known = errors.explained(error)
        if known is None:
            raise
        output.fail(str(known))
        sys.exit(known.code)


if __name__ == "__main__":
    run()
