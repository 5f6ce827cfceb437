"""Calls that are made together."""
