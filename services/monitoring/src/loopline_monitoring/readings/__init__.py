"""From facts of the line to observations of signals."""
