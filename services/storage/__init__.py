"""Storage that fills up, vanishes or hangs: what an error means, and how a folder is now."""
