"""A question becomes passages."""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from loopline_retrieval.filters import Filter, parse
from loopline_retrieval.fusion import CANDIDATES, fused, hopeful
from loopline_retrieval.model import (
    Model,
    Passage,
    Space,
    Vector,
    checked_collections,
    checked_k,
    checked_question,
)
from loopline_retrieval.ports import Questions, Reranker, Serving, Store
from loopline_runtime.errors import NotFound

# A reranker sees at least so many, however few are wanted.
RERANKED = 10


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody asks for."""

    tenant: str
    question: str
    collections: list[str]
    k: int = 0
    filter: str = ""
    principals: frozenset[str] = frozenset()
    # By collection, instead of what serves.
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Searched:
    """A collection, and which index version of it was searched with which model."""

    space: Space
    model: Model


@dataclass(frozen=True, slots=True)
class Found:
    """Passages, best first, and how they came about. `took_ms` by a monotonic clock."""

    query_id: str
    passages: list[Passage]
    searched: list[Searched]
    vector: Vector = field(repr=False, default=b"")
    took_ms: float = 0.0


class Searching:
    """Searches; needs no bus."""

    def __init__(self, store: Store, questions: Questions, serving: Serving, reranker: Reranker | None = None) -> None:
        self._store = store
        self._questions = questions
        self._serving = serving
        self._reranker = reranker

    async def search(self, query: Query) -> Found:
        """The best passages over all collections. NotFound for an unknown collection, Invalid for anything misshapen."""
        began = time.perf_counter()
        question, k = checked_question(query.question), checked_k(query.k)
        where = parse(query.filter)
        searched = [
            await self._searched(query.tenant, name, query.versions.get(name, ""))
            for name in checked_collections(query.collections)
        ]
        passages, vector = await self._answered(searched, question, k, where, query.principals)
        took_ms = (time.perf_counter() - began) * 1000
        return Found(uuid.uuid4().hex, passages, searched, vector, took_ms)

    async def best(
        self, searched: Searched, question: str, k: int, principals: frozenset[str]
    ) -> tuple[list[Passage], float]:
        """The best passages of one index version, whether it serves or not, and the milliseconds it took."""
        began = time.perf_counter()
        passages, _ = await self._answered([searched], checked_question(question), k, None, principals)
        return passages, (time.perf_counter() - began) * 1000

    async def _answered(
        self, searched: Sequence[Searched], question: str, k: int, where: Filter | None, principals: frozenset[str]
    ) -> tuple[list[Passage], Vector]:
        vectors = {model: await self._questions.embed(question, model) for model in {one.model for one in searched}}
        wanted = max(k, RERANKED) if self._reranker else k
        found = await asyncio.gather(
            *(self._in_space(one.space, question, vectors[one.model], wanted, where, principals) for one in searched)
        )
        passages = sorted((passage for some in found for passage in some), key=_rank)[:wanted]
        first = searched[0].model
        if self._reranker:
            scores = await self._reranker.scores(question, vectors[first], first, passages)
            passages = _reranked(passages, scores)[:k]
        return passages, vectors[first]

    async def _searched(self, tenant: str, collection: str, wanted: str) -> Searched:
        if wanted:
            index, _ = await self._serving.index(tenant, collection)
            if index is None or wanted not in index.versions:
                told = f"{collection} has no index version {wanted[:64]!r}: see `loopline index list {collection}`"
                raise NotFound(told, reason="UNKNOWN_VERSION", field="index_versions")
            return Searched(Space(tenant, collection, wanted), index.versions[wanted])
        serving = await self._serving.of(tenant, collection)
        if serving is None:
            raise NotFound(f"there is no collection {collection}", reason="UNKNOWN_COLLECTION", field="collections")
        version, model = serving
        return Searched(Space(tenant, collection, version), model)

    async def _in_space(
        self,
        space: Space,
        question: str,
        vector: Vector,
        k: int,
        where: Filter | None,
        principals: frozenset[str],
        *,
        again: bool = False,
    ) -> list[Passage]:
        nearest, keyword = await asyncio.gather(
            self._store.nearest(space, vector, CANDIDATES, where, principals),
            self._store.keyword(space, question, CANDIDATES, where, principals),
        )
        cosines = {hit.row: hit.score for hit in nearest}
        most = 2 * k if again else k
        if missing := hopeful(cosines, keyword, most):
            cosines |= await self._store.cosines(space, vector, missing)
        scores = fused(cosines, keyword)
        best = sorted(scores, key=lambda row: (-scores[row].fused, row))
        wanted = best[:most]
        passages = await self._store.passages(space, wanted)
        if len(passages) < len(wanted) and not again:
            # A document was replaced between the two looks: what was found is gone, what took its place was not looked for.
            return await self._in_space(space, question, vector, k, where, principals, again=True)
        return [replace(passages[row], scores=scores[row]) for row in best if row in passages][:k]


def _reranked(passages: Sequence[Passage], scores: Sequence[float]) -> list[Passage]:
    scored = sorted(zip(scores, passages, strict=True), key=lambda pair: (-pair[0], _rank(pair[1])))
    return [replace(passage, scores=replace(passage.scores, reranked=score)) for score, passage in scored]


def _rank(passage: Passage) -> tuple[float, str]:
    return -passage.scores.fused, passage.chunk_id
