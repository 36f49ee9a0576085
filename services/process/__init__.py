"""The life of a process: its parent, and the versions that it runs with."""
