"""Says query_served after the reply, best effort: what does not fit the queue or cannot be said is counted, never waited for."""

import asyncio
import logging

from prometheus_client import Counter

from loopline.ingestion.v1.events_pb2 import EmbeddingModel
from loopline.retrieval.v1.events_pb2 import QueryServed, ServedPassage
from loopline_contracts.channels import QUERY_SERVED
from loopline_nats.content import Contents
from loopline_nats.line import Fact, Line
from loopline_retrieval.app import Found, Query
from loopline_runtime import names
from loopline_runtime.errors import LooplineError

log = logging.getLogger(__name__)
LOST = Counter(names.QUERIES_SERVED_LOST_TOTAL, "query_served facts that were not said")
MOST_WAITING = 1000


class Served:
    """A bounded queue and who empties it."""

    def __init__(self, line: Line, contents: Contents) -> None:
        self._line = line
        self._contents = contents
        self._waiting: asyncio.Queue[tuple[Query, Found]] = asyncio.Queue(MOST_WAITING)

    def note(self, query: Query, found: Found) -> None:
        """To be said soon; costs the caller nothing."""
        try:
            self._waiting.put_nowait((query, found))
        except asyncio.QueueFull:
            LOST.inc()

    async def say(self) -> None:
        """Says what was noted, without end."""
        while True:
            query, found = await self._waiting.get()
            try:
                for fact in await self._facts(query, found):
                    await self._line.say(fact)
            except LooplineError as error:
                LOST.inc()
                log.info("a query_served is lost: %s", error)

    async def _facts(self, query: Query, found: Found) -> list[Fact[QueryServed]]:
        """One fact per collection searched."""
        content = await self._contents.of(query.tenant)
        facts = []
        for searched in found.searched:
            space, model = searched.space, searched.model
            body = QueryServed(
                query_id=found.query_id,
                collection=space.collection,
                question=content.shown(query.question),
                index_version=space.version,
                model=EmbeddingModel(name=model.name, revision=model.revision, dimension=model.dimension),
                k=query.k,
                passages=[
                    ServedPassage(
                        chunk_id=p.chunk_id, document_id=p.document, revision=p.revision, score=p.scores.fused
                    )
                    for p in found.passages
                    if p.collection == space.collection
                ],
                took_ms=found.took_ms,
                vector=found.vector if content.shown("x") == "x" else b"",
            )
            facts.append(Fact(QUERY_SERVED, body, f"{found.query_id}/{space.collection}", query.tenant))
        return facts
