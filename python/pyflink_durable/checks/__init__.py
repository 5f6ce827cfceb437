"""Checks of what users pass in, before anything is written."""
