"""What this service does: it answers from passages, and checks what it says."""

from loopline_generation.app.answering import Answering, Policy

__all__ = ["Answering", "Policy"]
