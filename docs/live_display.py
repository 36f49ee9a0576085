"""Draws the live display of a running session as docs/images/live_display.svg.

Run it beside `warpcore up` while movies are being processed: `.venv/bin/python docs/live_display.py [PICTURE]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from warpcore.bus.endpoints import Endpoints
from warpcore.cli import remote
from warpcore.cli.display import rendered
from warpcore.cli.overview import look

COLUMNS = 100
PICTURE = Path(__file__).parent / "images" / "live_display.svg"

# As rich's own picture, without the frame of a window and without fonts from the network.
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px monospace }}
{styles}
</style>
<defs>{lines}</defs>
<rect width="{width}" height="{height}" rx="8" fill="#292929"/>
<g transform="translate(9, 9)" clip-path="none">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main(picture: str = str(PICTURE)) -> None:
    """Ask the scheduler of this host once, and draw what `warpcore up` shows then."""
    with remote.client("127.0.0.1", Endpoints().control_port) as asking:
        seen = look(asking)
    note = f"page at http://127.0.0.1:5000, results in {seen.status.processing_directory}; Ctrl-C ends"
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(rendered(seen, note))
        console.save_svg(picture, title="warpcore up", code_format=SVG, unique_id="warpcore")


if __name__ == "__main__":
    main(*sys.argv[1:2])
