"""Nanny and compute process: runs the steps of one movie after the other on one device."""
