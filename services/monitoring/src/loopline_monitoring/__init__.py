"""Says when what happens now differs from what was agreed as normal, and why."""
