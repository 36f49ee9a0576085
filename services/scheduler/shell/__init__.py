"""Sockets, clock and files around the core."""
