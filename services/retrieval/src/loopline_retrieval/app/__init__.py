"""What this service does: it indexes batches, and it searches."""

from loopline_retrieval.app.indexing import Indexing
from loopline_retrieval.app.searching import Found, Query, Searched, Searching

__all__ = ["Found", "Indexing", "Query", "Searched", "Searching"]
