"""What this service does: it takes documents in, works on them, knows what became of them, and keeps order."""

from loopline_ingestion.app.building import Building, Made
from loopline_ingestion.app.collections import Collections
from loopline_ingestion.app.documents import Accepted, Documents
from loopline_ingestion.app.erasing import Erasing
from loopline_ingestion.app.planning import Planning
from loopline_ingestion.app.sweeping import Sweeping
from loopline_ingestion.app.turns import Turns
from loopline_ingestion.app.working import Batched, Working

__all__ = [
    "Accepted",
    "Batched",
    "Building",
    "Collections",
    "Documents",
    "Erasing",
    "Made",
    "Planning",
    "Sweeping",
    "Turns",
    "Working",
]
