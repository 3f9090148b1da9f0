"""The Loopline client library and the loopline command."""
