"""What a movie looks like over REST: pictures, curves, tracks, picks, log lines and files, made from its outputs."""
