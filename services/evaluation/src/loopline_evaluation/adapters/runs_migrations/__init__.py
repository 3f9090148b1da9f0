"""Revisions of datasets and runs, oldest first. They are kept nowhere else: no revision loses a row."""
