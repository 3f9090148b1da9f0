"""Holds the index and finds passages in it."""
