"""The `loopline` command: one file per group of commands."""
