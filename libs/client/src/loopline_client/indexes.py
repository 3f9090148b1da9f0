"""Index versions of a line: begun, watched, compared, switched, rolled back, dropped, verified, repaired."""

import asyncio
import time
import uuid
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest
from loopline.ingestion.v1 import events_pb2 as events
from loopline.ingestion.v1 import ingestion_service_pb2 as ingestion
from loopline.retrieval.v1 import retrieval_service_pb2 as retrieval
from loopline_client import index_results as results
from loopline_client.index_results import Comparison, Finding, IndexVersion, Question, Switched
from loopline_grpc.client import calling
from loopline_runtime.errors import NotFound, Rejected

if TYPE_CHECKING:
    from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub
    from loopline.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceAsyncStub
    from loopline.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceAsyncStub

# Comparing asks hundreds of questions; dropping waits until searches are over.
LONG_S = 600.0
LOOK_S, WINDOW_S = 0.5, 15.0
# What differs is looked at again: it may have been under way.
SURE_S, REPAIRED_WITHIN_S = 1.5, 300.0
PART = 500


class Indexes:
    """What `Loopline.indexes` gives; plans are ingestion's, what serves is retrieval's."""

    def __init__(
        self,
        ingestion: "IngestionServiceAsyncStub",
        retrieval: "RetrievalServiceAsyncStub",
        embedding: "EmbeddingServiceAsyncStub",
    ) -> None:
        self._ingestion = ingestion
        self._retrieval = retrieval
        self._embedding = embedding

    async def versions(self, collection: str = "default") -> list[IndexVersion]:
        """All of a collection's, oldest first. NotFound for an unknown collection."""
        async with calling("ingestion"):
            plans = await self._ingestion.ListPlans(ingestion.ListPlansRequest(collection=collection))
        index = await self._index(collection)
        return [results.version(plan, index) for plan in plans.plans]

    async def serving(self, collection: str = "default") -> str:
        """The version that serves."""
        return (await self._index(collection)).serving

    async def build(
        self, collection: str = "default", *, model: str = "", max_tokens: int = 0, overlap_tokens: int | None = None
    ) -> IndexVersion:
        """Begins a version; what is left out is as in the one that serves. `model`: NAME or NAME@REVISION, as the embedding service has it."""
        async with calling("ingestion"):
            plans = (await self._ingestion.ListPlans(ingestion.ListPlansRequest(collection=collection))).plans
        serving = await self.serving(collection)
        plan = events.Plan()
        plan.CopyFrom(next(one.plan for one in plans if one.index_version == serving))
        if model:
            plan.model.CopyFrom(await self._model(model))
        if max_tokens:
            plan.cutting.max_tokens = max_tokens
            plan.cutting.overlap_tokens = min(plan.cutting.overlap_tokens, max_tokens // 2)
        if overlap_tokens is not None:
            plan.cutting.overlap_tokens = overlap_tokens
        # Named, so that the call may be repeated and begins one version only.
        wanted = f"v{1 + max(int(one.index_version[1:]) for one in plans)}"
        return await self._add(collection, plan, wanted)

    async def resume(self, collection: str, version: str) -> IndexVersion:
        """Has a build that stalled go on, with the documents that failed."""
        async with calling("ingestion"):
            plans = (await self._ingestion.ListPlans(ingestion.ListPlansRequest(collection=collection))).plans
        plan = next((one.plan for one in plans if one.index_version == version), None)
        if plan is None:
            raise NotFound(f"{collection} has no index version {version}", reason="UNKNOWN_VERSION")
        return await self._add(collection, plan, version)

    async def watch(self, collection: str, version: str) -> AsyncIterator[IndexVersion]:
        """How far a build has come, twice a second, with its rate of late and the time left, until it ends."""
        seen: deque[tuple[float, int]] = deque()
        while True:
            found = next((one for one in await self.versions(collection) if one.version == version), None)
            if found is None:
                raise NotFound(f"{collection} has no index version {version}", reason="UNKNOWN_VERSION")
            now = time.monotonic()
            seen.append((now, found.complete))
            while now - seen[0][0] > WINDOW_S:
                seen.popleft()
            took, made = now - seen[0][0], found.complete - seen[0][1]
            rate = made / took if took else 0.0
            left = (found.documents - found.complete) / rate if rate else None
            yield replace(found, documents_per_s=rate, left_s=left)
            if found.settled:
                return
            await asyncio.sleep(LOOK_S)

    async def compare(
        self,
        collection: str = "default",
        candidate: str = "",
        *,
        baseline: str = "",
        questions: Sequence[Question] = (),
        count: int = 0,
        seed: int = 0,
        k: int = 0,
        tolerance: float | None = None,
        principals: Sequence[str] = (),
    ) -> Comparison:
        """Asks two versions the same questions: labelled ones, or known-item questions made from the collection.

        Left out: the newest version that does not serve, against the one that does.
        """
        request = retrieval.CompareRequest(
            collection=collection,
            candidate=candidate or await self._candidate(collection),
            baseline=baseline,
            trial=_trial(questions, count, seed, k, tolerance, principals),
        )
        async with calling("retrieval"):
            found = await self._retrieval.Compare(request, timeout=LONG_S)
        return results.comparison(found.comparison, found.completeness)

    async def switch(
        self,
        collection: str = "default",
        version: str = "",
        *,
        questions: Sequence[Question] = (),
        count: int = 0,
        seed: int = 0,
        k: int = 0,
        tolerance: float | None = None,
        principals: Sequence[str] = (),
        force: bool = False,
        reason: str = "",
    ) -> Switched:
        """Makes a version serve, after comparing. Rejected (WORSE, INCOMPLETE) unless forced with a reason; Aborted when somebody was faster."""
        request = retrieval.SwitchRequest(
            collection=collection,
            index_version=version or await self._candidate(collection),
            trial=_trial(questions, count, seed, k, tolerance, principals),
            force=force,
            reason=reason,
        )
        async with calling("retrieval"):
            done = await self._retrieval.Switch(request, timeout=LONG_S)
        compared = results.comparison(done.comparison, done.completeness) if done.HasField("comparison") else None
        return Switched(collection, done.index.serving, done.index.previous, compared)

    async def rollback(self, collection: str = "default", *, reason: str = "") -> Switched:
        """Makes the version that served before serve again, at once."""
        request = retrieval.RollbackRequest(
            collection=collection, from_version=await self.serving(collection), reason=reason
        )
        async with calling("retrieval"):
            index = (await self._retrieval.Rollback(request)).index
        return Switched(collection, index.serving, index.previous)

    async def drop(self, collection: str, version: str, *, reason: str = "") -> None:
        """Removes a version and ends its plan; again is the same. Rejected (SERVING) while it serves."""
        async with calling("retrieval"):
            await self._retrieval.Drop(
                retrieval.DropRequest(collection=collection, index_version=version), timeout=LONG_S
            )
        async with calling("ingestion"):
            await self._ingestion.RetirePlan(
                ingestion.RetirePlanRequest(collection=collection, index_version=version, reason=reason)
            )

    async def history(self, collection: str = "default") -> list[retrieval.IndexChange]:
        """The last changes of what serves, oldest first: who, when, why, and the figures."""
        return list((await self._index(collection)).changes)

    async def verify(self, collection: str = "default", version: str = "") -> list[Finding]:
        """Where the store holds something else than the ledger says, in the version that serves or another one.

        Looks twice: what is under way is no finding.
        """
        version = version or await self.serving(collection)
        first = await self._differences(collection, version)
        if not first:
            return []
        await asyncio.sleep(SURE_S)
        again = await self._differences(collection, version)
        return [again[key] for key in sorted(again) if first.get(key) == again[key]]

    async def repair(self, findings: Sequence[Finding]) -> list[Finding]:
        """Takes out what is wrong and has it made again; returns what differs still when that is over.

        What answered wrongly answers nothing until it is whole again.
        """
        by_version: dict[tuple[str, str], list[Finding]] = defaultdict(list)
        for finding in findings:
            by_version[finding.collection, finding.version].append(finding)
        left: list[Finding] = []
        for (collection, version), some in by_version.items():
            for start in range(0, len(some), PART):
                await self._mend(collection, version, some[start : start + PART])
            until = time.monotonic() + REPAIRED_WITHIN_S
            while (now := await self.verify(collection, version)) and time.monotonic() < until:
                await asyncio.sleep(LOOK_S)
            left += now
        return left

    async def _mend(self, collection: str, version: str, findings: Sequence[Finding]) -> None:
        cleared = [retrieval.Cleared(document_id=one.document_id, revision=one.up_to) for one in findings]
        request = retrieval.ClearDocumentsRequest(collection=collection, index_version=version, documents=cleared)
        async with calling("retrieval"):
            await self._retrieval.ClearDocuments(request, timeout=LONG_S)
        if again := [one.document_id for one in findings if one.remake]:
            async with calling("ingestion"):
                await self._ingestion.RemakeDocuments(
                    ingestion.RemakeDocumentsRequest(document_ids=again, attempt=f"repair-{uuid.uuid4().hex[:8]}")
                )

    async def _differences(self, collection: str, version: str) -> dict[str, Finding]:
        held: dict[str, list[retrieval.ListHeldResponse]] = defaultdict(list)
        async with calling("retrieval"):
            async for one in self._retrieval.ListHeld(
                retrieval.ListHeldRequest(collection=collection, index_version=version)
            ):
                held[one.document_id].append(one)
        found: dict[str, Finding] = {}
        async with calling("ingestion"):
            async for wanted in self._ingestion.ListExpected(
                ingestion.ListExpectedRequest(collection=collection, index_version=version)
            ):
                lying = held.pop(wanted.document_id, [])
                told = None if wanted.under_way else _difference(wanted, lying)
                if told:
                    up_to = max([wanted.revision, *(one.revision for one in lying)])
                    kind, sentence = told
                    found[wanted.document_id] = Finding(
                        kind, collection, version, wanted.document_id, wanted.source, sentence, up_to, remake=True
                    )
        for document_id, lying in held.items():
            up_to, source = max(one.revision for one in lying), lying[0].source
            sentence = f"{sum(one.chunk_count for one in lying)} passages of a document the ledger does not have"
            found[document_id] = Finding(
                "stray", collection, version, document_id, source, sentence, up_to, remake=False
            )
        return found

    async def _model(self, name: str) -> events.EmbeddingModel:
        """The model exactly, as the embedding service says."""
        asked, _, revision = name.partition("@")
        request = EmbedQueryRequest(text="ready", model=events.EmbeddingModel(name=asked, revision=revision))
        async with calling("embedding"):
            return (await self._embedding.EmbedQuery(request)).model

    async def _add(self, collection: str, plan: events.Plan, version: str) -> IndexVersion:
        request = ingestion.AddPlanRequest(collection=collection, plan=plan, index_version=version)
        async with calling("ingestion"):
            added = (await self._ingestion.AddPlan(request)).plan
        return results.version(added, await self._index(collection))

    async def _index(self, collection: str) -> retrieval.Index:
        async with calling("retrieval"):
            return (await self._retrieval.GetIndex(retrieval.GetIndexRequest(collection=collection))).index

    async def _candidate(self, collection: str) -> str:
        others = [one.version for one in await self.versions(collection) if one.role in ("previous", "kept")]
        if not others:
            raise Rejected(f"{collection} has one index version only; build another one", reason="NOTHING_TO_COMPARE")
        return others[-1]


def _difference(
    wanted: ingestion.ListExpectedResponse, lying: Sequence[retrieval.ListHeldResponse]
) -> tuple[str, str] | None:
    answering = max((one for one in lying if one.answers), key=lambda one: one.revision, default=None)
    if answering is None:
        return "missing", f"none of its {wanted.chunk_count} passages answers"
    if answering.revision < wanted.revision:
        return "stale", f"revision {answering.revision} answers, the ledger has {wanted.revision}"
    if answering.revision > wanted.revision:
        return "stray", f"revision {answering.revision} answers, the ledger has {wanted.revision}"
    if answering.chunks_sha256 != wanted.chunks_sha256:
        kind = "stray" if answering.chunk_count > wanted.chunk_count else "missing"
        return kind, f"{answering.chunk_count} passages, the ledger has {wanted.chunk_count}"
    if older := [one for one in lying if one.revision < wanted.revision and one.chunk_count]:
        return "stray", f"{sum(one.chunk_count for one in older)} passages of older revisions are left over"
    return None


def _trial(
    questions: Sequence[Question], count: int, seed: int, k: int, tolerance: float | None, principals: Sequence[str]
) -> retrieval.Trial:
    return retrieval.Trial(
        probes=results.probes(questions),
        count=count,
        seed=seed,
        k=k,
        tolerance=tolerance,
        principals=principals,
    )
