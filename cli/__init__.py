"""The `warpcore` command: parses, calls, prints."""
