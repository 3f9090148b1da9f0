"""An accepted document is extracted, validated and cut."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

from loopline_ingestion.app.collections import Collections
from loopline_ingestion.model import Cut, Document, Extracted, IndexPlan, Reason, Refused, Work, batches_of
from loopline_ingestion.ports import Change, Extraction, History, Plans, Uploads
from loopline_runtime.errors import NotFound

_CHANGES = ("document_accepted", "document_deleted", "document_erasure_ordered")


@dataclass(frozen=True, slots=True)
class Batched:
    """A document in batches, as one plan cuts it."""

    plan: IndexPlan
    title: str
    content_type: str
    batches: list[list[Cut]]


class Working:
    """From bytes to passages."""

    def __init__(
        self, uploads: Uploads, history: History, extraction: Extraction, collections: Collections, plans: Plans
    ) -> None:
        self._uploads = uploads
        self._history = history
        self._extraction = extraction
        self._collections = collections
        self._plans = plans

    async def work(self, document: Document) -> AsyncIterator[Batched | Refused]:
        """The document's passages by each plan, or why there are none; nothing when the revision is not the last one any more.

        What only a plan that is being built refuses is a setback of that build.
        """
        await self._collections.made(document.tenant, document.collection)
        for plan in await self._plans.plans(document.tenant, document.collection):
            if plan.retired:
                continue
            result = await self.cut(document, plan)
            if result is None:
                return
            if isinstance(result, Refused) and not plan.counts:
                await self._plans.set_back(plan, document.document_id, document.revision, result.reasons)
                continue
            yield result
            if isinstance(result, Refused):
                return

    async def cut(self, document: Document, plan: IndexPlan) -> Batched | Refused | None:
        """The document's passages by one plan; None when the revision is not the last one any more."""
        last = await self._history.last(document.tenant, document.document_id)
        if last is not None and _superseded(document, last):
            return None
        collection = await self._collections.get(document.tenant, document.collection)
        with tempfile.NamedTemporaryFile(prefix="loopline-") as file:
            try:
                await _copied(self._uploads.get(document.upload_id), file)
            except NotFound:
                return Refused((Reason("BYTES_LOST", "its bytes are not in the store any more; submit it again"),))
            work = Work(
                file.name,
                document.source,
                document.content_type,
                document.metadata,
                plan.plan.cutting,
                collection.expectations_json,
            )
            result = await self._extraction.extract(work)
        if isinstance(result, Extracted):
            return Batched(plan, result.title, result.content_type, batches_of(result.cuts))
        return result


def _superseded(document: Document, last: Change) -> bool:
    return last.kind in _CHANGES and last.revision > document.revision


async def _copied(parts: AsyncIterator[bytes], file: "tempfile._TemporaryFileWrapper[bytes]") -> None:
    async for part in parts:
        file.write(part)
    file.flush()
