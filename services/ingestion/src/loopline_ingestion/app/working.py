"""An accepted document is extracted, validated and cut."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

from loopline_ingestion.app.collections import Collections
from loopline_ingestion.model import Collection, Cut, Document, Extracted, Reason, Refused, Work, batches_of
from loopline_ingestion.ports import Change, Extraction, History, Uploads
from loopline_runtime.errors import NotFound

_CHANGES = ("document_accepted", "document_deleted")


@dataclass(frozen=True, slots=True)
class Batched:
    """A document in batches."""

    collection: Collection
    title: str
    content_type: str
    batches: list[list[Cut]]


class Working:
    """From bytes to passages."""

    def __init__(self, uploads: Uploads, history: History, extraction: Extraction, collections: Collections) -> None:
        self._uploads = uploads
        self._history = history
        self._extraction = extraction
        self._collections = collections

    async def work(self, document: Document) -> Batched | Refused | None:
        """The document's passages, or why there are none; None when the revision is not the last one any more."""
        last = await self._history.last(document.tenant, document.document_id)
        if last is not None and _superseded(document, last):
            return None
        collection = await self._collections.made(document.tenant, document.collection)
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
                collection.plan.cutting,
                collection.expectations_json,
            )
            result = await self._extraction.extract(work)
        if isinstance(result, Extracted):
            return Batched(collection, result.title, result.content_type, batches_of(result.cuts))
        return result


def _superseded(document: Document, last: Change) -> bool:
    return last.kind in _CHANGES and last.revision > document.revision


async def _copied(parts: AsyncIterator[bytes], file: "tempfile._TemporaryFileWrapper[bytes]") -> None:
    async for part in parts:
        file.write(part)
    file.flush()
