"""Keeps the right number of workers on a site's batch system."""
