"""Owns all state: decides in a pure machine, stores in SQLite, talks over ZeroMQ."""
