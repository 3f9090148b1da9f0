"""Revisions of the ledger, oldest first. It is a read model: one may empty it, and it is rebuilt from the streams."""
