"""Scores answers: by rule on every one, by a judge on some, by people."""
