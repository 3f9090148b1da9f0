"""Which index version serves: one entry per collection, changed by compare-and-set, and only for one that is whole and no worse."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from loopline_retrieval.app.comparing import Comparing
from loopline_retrieval.app.searching import Searched
from loopline_retrieval.model import Known, Space
from loopline_retrieval.ports import Knowledge, Serving, Store
from loopline_retrieval.versions import ROLLBACK, SWITCH, Change, Comparison, Completeness, Held, Index, Trial, behind
from loopline_runtime.errors import Aborted, Invalid, NotFound, Rejected

# Documents that are on their way to both versions are waited for.
SETTLE_S, LOOK_S = 5.0, 0.1
# Searches that began in a version are over after this long; replicas remember for a second which one serves.
DRAIN_S, HEARD_S = 12.0, 1.5
EXAMPLES = 5


# Has a change of a tenant's collection announced; never fails.
Telling = Callable[[str, str], Awaitable[None]]


class Switching:
    """Switch, roll back, drop."""

    def __init__(
        self, store: Store, knowledge: Knowledge, serving: Serving, comparing: Comparing, tell: Telling
    ) -> None:
        self._store = store
        self._knowledge = knowledge
        self._serving = serving
        self._comparing = comparing
        self._tell = tell

    async def index(self, tenant: str, collection: str) -> Index:
        """As it is now. NotFound for an unknown collection."""
        return (await self._found(tenant, collection))[0]

    async def compare(
        self, tenant: str, collection: str, candidate: str, baseline: str, trial: Trial
    ) -> tuple[Comparison, Completeness]:
        """Two versions, the serving one where no other is named. NotFound for an unknown one."""
        index = await self.index(tenant, collection)
        old, new = (_searched(index, tenant, collection, name) for name in (baseline or index.serving, candidate))
        completeness = await self._completeness(tenant, collection, old.space.version, candidate)
        return await self._comparing.compare(old, new, trial), completeness

    async def switch(
        self, tenant: str, collection: str, version: str, trial: Trial, *, by: str, reason: str, force: bool
    ) -> tuple[Index, Comparison | None, Completeness]:
        """Another version serves. Rejected when it is not complete or worse, unless forced, which is recorded; Aborted when somebody was faster."""
        if force and not reason.strip():
            raise Invalid("a forced switch needs a reason", field="reason")
        index, token = await self._found(tenant, collection)
        old = _searched(index, tenant, collection, index.serving)
        new = _searched(index, tenant, collection, version)
        if version == index.serving:
            return index, None, Completeness(0, 0)
        completeness = await self._completeness(tenant, collection, index.serving, version)
        if completeness.behind and not force:
            raise Rejected(
                f"{version} is not complete: {completeness.behind} of {completeness.documents} documents that {index.serving} "
                f"answers are not whole in it, for example {', '.join(completeness.examples)}",
                reason="INCOMPLETE",
            )
        comparison = await self._compared(old, new, trial, must=bool(completeness.documents) and not force)
        worse = comparison is not None and comparison.worse
        if comparison is not None and worse and not force:
            raise Rejected(comparison.verdict, reason="WORSE")
        forced = force and (worse or comparison is None or completeness.behind > 0)
        change = Change(0, SWITCH, index.serving, version, by, reason, time.time(), forced, comparison, completeness)
        return await self._changed(tenant, collection, index.changed(change), token), comparison, completeness

    async def rollback(self, tenant: str, collection: str, from_version: str, *, by: str, reason: str) -> Index:
        """The version before serves again: it was kept up to date, so nothing is asked. Aborted when another one serves than was said."""
        index, token = await self._found(tenant, collection)
        last = index.changes[-1] if index.changes else None
        if last and last.kind == ROLLBACK and last.from_version == from_version:
            return index  # the call was repeated
        if index.serving != from_version:
            raise Aborted(f"{index.serving} of {collection} serves, not {from_version[:64]}; look again")
        if not index.previous:
            raise Rejected(f"no former index version of {collection} is kept", reason="NOTHING_KEPT")
        change = Change(0, ROLLBACK, index.serving, index.previous, by, reason, time.time())
        return await self._changed(tenant, collection, index.changed(change), token)

    async def drop(self, tenant: str, collection: str, version: str) -> Index:
        """Removes a version with all that is in it, once searches that began in it are over; again is the same. Rejected while it serves."""
        index, token = await self._found(tenant, collection)
        if version == index.serving:
            raise Rejected(f"{version} of {collection} serves; switch to another one first", reason="SERVING")
        if version in index.versions:
            index = await self._changed(tenant, collection, index.without(version), token)
        elif version not in index.dropped:
            raise NotFound(
                f"{collection} has no index version {version[:64]}", reason="UNKNOWN_VERSION", field="index_version"
            )
        last = index.changes[-1].at if index.changes else 0.0
        await asyncio.sleep(max(HEARD_S, last + DRAIN_S - time.time()))
        await self._store.discard(Space(tenant, collection, version))
        return index

    async def ended(self, tenant: str, collection: str, version: str) -> None:
        """Nothing is made for a version any more: what came in late goes. One that serves stays, whatever was said elsewhere."""
        index, _ = await self._serving.index(tenant, collection)
        if index is not None and version in index.dropped:
            await self._store.discard(Space(tenant, collection, version))

    async def held(self, space: Space) -> AsyncIterator[Held]:
        """What lies in a version, by document and revision. NotFound for an unknown one."""
        _searched(await self.index(space.tenant, space.collection), space.tenant, space.collection, space.version)
        async for held in self._store.held(space):
            yield held

    async def clear(self, space: Space, document: str, up_to: int) -> None:
        """Takes a document out of a version, up to a revision, as if it had never been there."""
        while True:
            known, token = await self._knowledge.get(space.tenant, space.collection, document)
            progress = known.versions.get(space.version)
            if progress is None or progress.revision > up_to:
                break
            kept = {name: one for name, one in known.versions.items() if name != space.version}
            try:
                cleared = replace(known, versions=kept)
                await self._knowledge.put_if(space.tenant, space.collection, document, cleared, token)
            except Aborted:
                continue
            break
        await self._store.remove(space, document, up_to)

    async def _changed(self, tenant: str, collection: str, index: Index, token: int) -> Index:
        try:
            await self._serving.put_if(tenant, collection, index, token)
        except Aborted as error:
            raise Aborted(f"somebody else changed what serves {collection} meanwhile; look again") from error
        await self._tell(tenant, collection)
        return index

    async def _compared(self, old: Searched, new: Searched, trial: Trial, *, must: bool) -> Comparison | None:
        try:
            return await self._comparing.compare(old, new, trial)
        except Rejected:
            if must:
                raise
            return None

    async def _completeness(self, tenant: str, collection: str, baseline: str, candidate: str) -> Completeness:
        """Every document that one version answers is whole in the other; what is under way to both just now is waited for."""
        late: list[str] = []
        documents = 0
        async for document, known in self._knowledge.all(tenant, collection):
            documents += _answered(known, baseline)
            if behind(known, baseline, candidate):
                late.append(document)
        until = time.monotonic() + SETTLE_S
        while late and len(late) <= documents / 2 and time.monotonic() < until:
            await asyncio.sleep(LOOK_S)
            late = [
                document
                for document in late
                if behind((await self._knowledge.get(tenant, collection, document))[0], baseline, candidate)
            ]
        return Completeness(documents, len(late), tuple(late[:EXAMPLES]))

    async def _found(self, tenant: str, collection: str) -> tuple[Index, int]:
        index, token = await self._serving.index(tenant, collection)
        if index is None:
            raise NotFound(f"there is no collection {collection}", reason="UNKNOWN_COLLECTION", field="collection")
        return index, token


def _answered(known: Known, version: str) -> bool:
    progress = known.versions.get(version)
    return progress is not None and progress.shown > known.deleted


def _searched(index: Index, tenant: str, collection: str, version: str) -> Searched:
    if version not in index.versions:
        raise NotFound(
            f"{collection} has no index version {version[:64]}", reason="UNKNOWN_VERSION", field="index_version"
        )
    return Searched(Space(tenant, collection, version), index.versions[version])
