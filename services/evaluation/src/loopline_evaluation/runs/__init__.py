"""Runs: every row of a dataset answered and scored, once, whatever happens in between; and what two runs differ in."""
