"""Mirrors the scheduler's state into the JSON, XML and STAR files that other programs read."""
