"""The life of a process: its parent, its threads, its log, and the versions that it runs with."""
