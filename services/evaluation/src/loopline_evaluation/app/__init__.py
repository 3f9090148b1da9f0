"""The core: scoring."""

from loopline_evaluation.app.scoring import Scoring

__all__ = ["Scoring"]
