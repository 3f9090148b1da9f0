"""A batch goes in, and the last change of a document wins whatever the order of arrival.

Replicas need no locks: what is known of a document changes by compare-and-set, and after each write we look again and remove what was
superseded meanwhile, so that a late batch cannot raise the dead.
"""

from collections.abc import Callable

from loopline_retrieval.model import Batch, Chunk, Erased, Known, Model, Space, checked_vectors
from loopline_retrieval.ports import Knowledge, Serving, Store
from loopline_retrieval.versions import Index
from loopline_runtime.errors import Aborted, Unavailable

RACES = 50


class Indexing:
    """Everything that changes the index."""

    def __init__(self, store: Store, knowledge: Knowledge, serving: Serving) -> None:
        self._store = store
        self._knowledge = knowledge
        self._serving = serving

    async def index(self, batch: Batch, chunks: list[Chunk]) -> bool:
        """Writes a batch; its revision answers when it was the last one missing. False when something newer is known.

        For a version that was dropped nothing is written, and nothing is left to do.
        """
        space, document = batch.space, batch.document
        checked_vectors(batch, chunks)
        if await self._serving.dropped(space):
            return True
        known, token = await self._knowledge.get(space.tenant, space.collection, document)
        if known.superseded(space.version, batch.revision):
            await self._clear(batch, known)  # we may have died after writing it
            return False
        readers = known.readers_of(batch)
        await self._store.put(batch, chunks, readers)
        known = await self._change(
            space.tenant, space.collection, document, lambda now: _noted(now, batch), seen=(known, token)
        )
        if known.superseded(space.version, batch.revision):
            await self._clear(batch, known)
            return False
        if known.readers_of(batch) != readers:
            await self._store.set_readers(space, document, known.readers, before=known.readers_since)
        if known.versions[space.version].complete:
            await self._store.show(space, document, batch.revision)
            # Between the note and the show it may have been deleted or superseded.
            known, _ = await self._knowledge.get(space.tenant, space.collection, document)
            await self._clear(batch, known)
        return True

    async def _clear(self, batch: Batch, known: Known) -> None:
        """Takes out what was superseded while it was written; an older revision that serves goes on serving."""
        if batch.revision <= known.deleted:
            # It may have been erased, not only deleted.
            await self._store.erase(batch.space, batch.document, up_to=known.deleted)
        elif known.superseded(batch.space.version, batch.revision):
            await self._store.drop(batch.space, batch.document, batch.revision)

    async def forget(self, tenant: str, collection: str, document: str, revision: int) -> None:
        """A document was deleted: when this returns, nothing of it up to that revision answers."""
        known = await self._change(tenant, collection, document, lambda now: now.with_deletion(revision))
        for version in known.versions:
            await self._store.remove(Space(tenant, collection, version), document, up_to=known.deleted)

    async def erase(self, tenant: str, collection: str, document: str, revision: int) -> list[Erased]:
        """Nothing of a document up to a revision is left in any index version; says what was there."""
        known = await self._change(tenant, collection, document, lambda now: now.with_erasure(revision))
        serving = await self._serving.of(tenant, collection)
        erased = []
        for version in sorted({*known.versions, *([serving[0]] if serving else [])}):
            space = Space(tenant, collection, version)
            chunks = await self._store.left(space, document, up_to=revision)
            disk = await self._store.erase(space, document, up_to=revision)
            if await self._store.left(space, document, up_to=revision):
                raise Unavailable(f"something of document {document} is still in the index; it is erased again")
            erased.append(Erased(version, chunks, disk))
        return erased

    async def holds(self, tenant: str, collection: str, document: str, revision: int) -> bool:
        """Whether an index version holds anything of a document up to a revision; one that was restored may."""
        known, _ = await self._knowledge.get(tenant, collection, document)
        serving = await self._serving.of(tenant, collection)
        versions = {*known.versions, *([serving[0]] if serving else [])}
        counts = [await self._store.left(Space(tenant, collection, v), document, up_to=revision) for v in versions]
        return known.deleted < revision or sum(counts) > 0

    async def change_readers(
        self, tenant: str, collection: str, document: str, readers: frozenset[str], sequence: int
    ) -> None:
        """Other people may read a document now; nothing is embedded again."""
        known = await self._change(tenant, collection, document, lambda now: now.with_readers(readers, sequence))
        for version in known.versions:
            space = Space(tenant, collection, version)
            await self._store.set_readers(space, document, known.readers, before=known.readers_since)

    async def add_plan(self, space: Space, model: Model) -> None:
        """A collection has a plan; its first one serves."""
        for _ in range(RACES):
            index, token = await self._serving.index(space.tenant, space.collection)
            known = index or Index(space.version, {})
            changed = known.with_version(space.version, model)
            if changed == index:
                return None
            try:
                return await self._serving.put_if(space.tenant, space.collection, changed, token)
            except Aborted:
                continue
        raise Unavailable(f"the index versions of {space.collection} change faster than they can be written")

    async def _change(
        self,
        tenant: str,
        collection: str,
        document: str,
        change: Callable[[Known], Known],
        seen: tuple[Known, int] | None = None,
    ) -> Known:
        """`seen`: as it was a moment ago; that nobody has changed it since is sure only when our own change is taken."""
        for _ in range(RACES):
            known, token = seen or await self._knowledge.get(tenant, collection, document)
            changed = change(known)
            if changed == known and seen is None:
                return known
            seen = None
            if changed == known:
                continue
            try:
                await self._knowledge.put_if(tenant, collection, document, changed, token)
            except Aborted:
                continue
            return changed
        raise Unavailable(f"what is known of {document} changes faster than it can be written")


def _noted(known: Known, batch: Batch) -> Known:
    return known if known.superseded(batch.space.version, batch.revision) else known.with_batch(batch)
