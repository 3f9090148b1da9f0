"""Documents come in and go; the caller hears what became of them."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from loopline_ingestion.app.collections import Collections
from loopline_ingestion.model import Document, Header, State, checked, document_id_of, version_of
from loopline_ingestion.ports import Change, History, Ledger, Stored, Uploads
from loopline_runtime.errors import Aborted, Invalid, LooplineError, NotFound, Unavailable

RACES = 5
WATCH_S = 0.25
MOST_PAGE, DEFAULT_PAGE, MOST_WATCHED = 1000, 100, 1000
ACCEPTED, READERS_CHANGED, REJECTED, DELETED = (
    "document_accepted",
    "document_readers_changed",
    "document_rejected",
    "document_deleted",
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A document as the caller is told of it; `unchanged`: this very version was there and nothing was said."""

    document: Document
    unchanged: bool


class Documents:
    """Submit, look up, list, watch, read, delete."""

    def __init__(
        self,
        ledger: Ledger,
        history: History,
        uploads: Uploads,
        collections: Collections,
        *,
        most_bytes: int,
        at_once: int,
    ) -> None:
        self._ledger = ledger
        self._history = history
        self._uploads = uploads
        self._collections = collections
        self._most_bytes = most_bytes
        # So many uploads of one tenant that are here whole are worked on at a time; more wait here, not in the queues where others stand.
        self._working: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(at_once))

    async def submit(self, tenant: str, header: Header, parts: AsyncIterator[bytes]) -> Accepted:
        """Stores bytes, then the fact. Idempotent: the same version again answers the revision it has.

        Invalid for a bad header or size; Aborted when somebody keeps changing the document at the same time.
        """
        checked(header, self._most_bytes)
        await self._collections.made(tenant, header.collection)
        upload_id = uuid.uuid4().hex
        stored = await self._uploads.put(upload_id, self._counted(parts, header), self._working[tenant])
        said = False
        try:
            document = _document(tenant, header, upload_id, stored)
            for _ in range(RACES):
                try:
                    async with self._working[tenant]:
                        last = await self._history.last(tenant, document.document_id)
                        accepted, said = await self._accept(document, last)
                except Aborted:
                    continue
                return accepted
            raise Aborted(f"{header.source} is being changed by others; try again", retry_after_s=1)
        except Unavailable:
            said = True  # perhaps the stream has it and only its word was lost; if not, the sweeper removes the bytes later
            raise
        finally:
            if not said:
                # What cannot be removed now, the sweeper removes later.
                with suppress(LooplineError):
                    await self._uploads.delete(upload_id)

    async def _accept(self, document: Document, last: Change | None) -> tuple[Accepted, bool]:
        same = last is not None and last.kind in (ACCEPTED, READERS_CHANGED) and last.version == document.version
        if last is not None and same:
            known = await self._ledger.document(document.tenant, document.document_id)
            if known is None or known.state is not State.FAILED:
                return await self._same_version(document, known, last), False
        revision = await self._history.accept(document, after=last.sequence if last else 0)
        document = replace(document, revision=revision)
        await self._ledger.accepted(document)
        return Accepted(document, unchanged=False), True

    async def _same_version(self, document: Document, known: Document | None, last: Change) -> Accepted:
        """The text is there already; at the most, its readers are others now."""
        current = known or replace(document, revision=last.revision)
        if sorted(last.readers) == sorted(document.readers):
            return Accepted(current, unchanged=True)
        changed = replace(current, readers=document.readers)
        sequence = await self._history.change_readers(changed, after=last.sequence)
        await self._ledger.readers_changed(document.tenant, document.document_id, document.readers, sequence)
        return Accepted(changed, unchanged=False)

    async def _counted(self, parts: AsyncIterator[bytes], header: Header) -> AsyncIterator[bytes]:
        size = 0
        async for part in parts:
            size += len(part)
            if size > self._most_bytes:
                raise Invalid(
                    f"more than {self._most_bytes} bytes; no more are taken", reason="TOO_LARGE", field="data"
                )
            yield part
        if header.size_bytes and size != header.size_bytes:
            raise Invalid(f"{size} bytes came, {header.size_bytes} were announced", field="size_bytes")

    async def get(self, tenant: str, document_id: str) -> Document:
        """One document. NotFound also when it is another tenant's."""
        found = await self._ledger.document(tenant, document_id)
        if found is None:
            raise NotFound(f"there is no document {document_id[:64]}", reason="UNKNOWN_DOCUMENT", field="document_id")
        return found

    async def at(self, tenant: str, collection: str, source: str) -> Document:
        """The document of a place."""
        return await self.get(tenant, document_id_of(tenant, collection, source))

    async def page(
        self, tenant: str, collection: str, states: Sequence[State], prefix: str, size: int, after: str
    ) -> list[Document]:
        """A page of documents by source. Invalid for a page size out of bounds."""
        if not 0 <= size <= MOST_PAGE:
            raise Invalid(f"page_size is 1 to {MOST_PAGE}", field="page_size")
        return await self._ledger.documents(tenant, collection, states, prefix, after, size or DEFAULT_PAGE)

    async def watch(self, tenant: str, document_ids: Sequence[str]) -> AsyncIterator[Document]:
        """Each document as it stands, then each change; ends when all are settled."""
        if not 1 <= len(document_ids) <= MOST_WATCHED:
            raise Invalid(f"watch 1 to {MOST_WATCHED} documents", field="document_ids")
        told: dict[str, Document] = {}
        waiting = list(dict.fromkeys(document_ids))
        while waiting:
            for document_id in list(waiting):
                document = await self.get(tenant, document_id)
                if document != told.get(document_id):
                    told[document_id] = document
                    yield document
                if document.state.settled:
                    waiting.remove(document_id)
            if waiting:
                await asyncio.sleep(WATCH_S)

    async def original(self, tenant: str, document_id: str) -> tuple[Document, AsyncIterator[bytes]]:
        """The document and its bytes as they came. NotFound once it is deleted."""
        document = await self.get(tenant, document_id)
        if document.state is State.DELETED:
            raise NotFound("the document was deleted", reason="DELETED", field="document_id")
        return document, self._uploads.get(document.upload_id)

    async def delete(self, tenant: str, document_id: str) -> Document:
        """Deletes it. Deleting what is deleted answers the same revision."""
        for _ in range(RACES):
            document = await self.get(tenant, document_id)
            last = await self._history.last(tenant, document_id)
            if last is None or last.kind == DELETED:
                return replace(document, state=State.DELETED, revision=last.revision if last else document.revision)
            try:
                revision = await self._history.delete(document, after=last.sequence)
            except Aborted:
                continue
            now = datetime.now(UTC)
            await self._ledger.deleted(tenant, document_id, revision, now)
            return replace(document, state=State.DELETED, revision=revision, changed_at=now)
        raise Aborted(f"document {document_id} is being changed by others; try again", retry_after_s=1)


def _document(tenant: str, header: Header, upload_id: str, stored: Stored) -> Document:
    now = datetime.now(UTC)
    return Document(
        tenant=tenant,
        document_id=document_id_of(tenant, header.collection, header.source),
        collection=header.collection,
        source=header.source,
        version=version_of(stored.sha256, header.content_type, header.metadata),
        revision=0,
        state=State.ACCEPTED,
        accepted_at=now,
        changed_at=now,
        size_bytes=stored.size_bytes,
        content_type=header.content_type,
        upload_id=upload_id,
        metadata=dict(header.metadata),
        readers=tuple(sorted(set(header.readers))),
    )
