"""The revisions of the store of scores."""
