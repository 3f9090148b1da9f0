"""Answers questions from passages, with citations that are checked."""
