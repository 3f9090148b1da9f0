"""What this service does: it indexes batches, it searches, and it knows which index version serves."""

from loopline_retrieval.app.comparing import Comparing
from loopline_retrieval.app.indexing import Indexing
from loopline_retrieval.app.searching import Found, Query, Searched, Searching
from loopline_retrieval.app.switching import Switching

__all__ = ["Comparing", "Found", "Indexing", "Query", "Searched", "Searching", "Switching"]
