"""Many readers of live events in a process of their own: `python -m tests.benchmarks.event_crowd PORT READERS`.

It prints `ready` when all have been greeted, and after a line on its input how many events each has had: least, most.
"""

from __future__ import annotations

import asyncio
import sys


async def read(port: int, counts: list[int], place: int) -> None:
    """One reader, which counts the durable events."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    async for line in reader:
        counts[place] += line.startswith(b"id: ")


async def main(port: int, readers: int) -> None:
    """All readers, until a line comes in."""
    counts = [0] * readers
    tasks = [asyncio.create_task(read(port, counts, place)) for place in range(readers)]
    while min(counts) == 0:
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for task in tasks:
        task.cancel()
    print(min(counts) - 1, max(counts) - 1, flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
