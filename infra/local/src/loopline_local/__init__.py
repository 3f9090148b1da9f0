"""The whole line as processes on one machine."""
