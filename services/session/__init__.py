"""What a session asks for and knows: settings, fingerprints, results, paths, kept generations."""
