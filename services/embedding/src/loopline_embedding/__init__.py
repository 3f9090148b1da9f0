"""Turns text into vectors."""
