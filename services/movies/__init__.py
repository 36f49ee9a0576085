"""What a movie is: settings, identities and paths, raw readers, writers."""
