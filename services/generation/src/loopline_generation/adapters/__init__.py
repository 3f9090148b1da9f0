"""What this service talks to."""
