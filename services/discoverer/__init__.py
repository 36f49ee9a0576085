"""Finds each movie as it is recorded and registers it once it is whole."""
