"""What this service does: it answers from passages, and checks what it says."""

from loopline_generation.app.answering import Answering, Policy
from loopline_generation.app.erasing import Erasing

__all__ = ["Answering", "Erasing", "Policy"]
