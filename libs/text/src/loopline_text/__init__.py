"""Sentences and words of running text, and how well a sentence bears on a question."""

from loopline_text.bearing import Lexical, bearings
from loopline_text.sentences import split
from loopline_text.words import STOP, stems

__all__ = ["STOP", "Lexical", "bearings", "split", "stems"]
