"""Revisions of answers and conversations, oldest first. They are kept nowhere else: no revision loses a row."""
