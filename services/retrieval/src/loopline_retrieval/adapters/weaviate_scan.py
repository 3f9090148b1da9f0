"""A space of Weaviate read through, by the order of its ids, which for hashes is a random one."""

import random
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from weaviate import WeaviateAsyncClient
from weaviate.classes.query import Filter as Where
from weaviate.classes.query import Metrics
from weaviate.exceptions import WeaviateQueryError

from loopline_retrieval.adapters import weaviate_schema as schema
from loopline_retrieval.adapters.weaviate_errors import absent
from loopline_retrieval.adapters.weaviate_filter import passages_of
from loopline_retrieval.adapters.weaviate_objects import Found, readers_said, row_of
from loopline_retrieval.model import Row
from loopline_retrieval.versions import Held, sha256_of

PAGE = 500
FIRST = uuid.UUID(int=0)
Reading = Callable[[], AbstractAsyncContextManager[None]]


async def rows_drawn(
    found: Found, count: int, seed: int, principals: frozenset[str], reading: Reading
) -> list[list[Row]]:
    """So many passages that the principals may read, in pages, from a random place on; whether they answer is not looked at."""
    allowed = {schema.EVERYBODY, *readers_said(principals)}
    start = uuid.UUID(int=random.Random(seed).getrandbits(128))  # noqa: S311 - a draw that can be repeated, not a secret
    rows: list[Row] = []
    for begin, end in ((start, None), (FIRST, start)):
        async for one in _objects(found, begin, ["kind", "readers", "head"], reading):
            if len(rows) == count or (end is not None and one.uuid > end):
                break
            if one.properties["kind"] == schema.PASSAGE and allowed & set(one.properties["readers"]):
                rows.append(row_of(one))
    return [rows[place : place + PAGE] for place in range(0, len(rows), PAGE)]


async def held_in(found: Found, reading: Reading) -> AsyncIterator[Held]:
    """Every revision of every document; of two that both have a head, the newer answers."""
    chunks: dict[tuple[str, int], list[str]] = defaultdict(list)
    sources: dict[str, str] = {}
    heads: dict[str, int] = {}
    async for one in _objects(found, FIRST, ["kind", "document", "revision", "chunk_id", "source"], reading):
        said = one.properties
        if said["kind"] == schema.HEAD:
            heads[said["document"]] = max(said["revision"], heads.get(said["document"], 0))
        else:
            chunks[said["document"], said["revision"]].append(said["chunk_id"])
            sources[said["document"]] = said["source"]
    for document, revision in heads.items():
        chunks.setdefault((document, revision), [])
    for (document, revision), ids in chunks.items():
        answers = heads.get(document) == revision
        yield Held(document, sources.get(document, ""), revision, len(ids), sha256_of(ids), answers)


async def _objects(found: Found, after: uuid.UUID, properties: list[str], reading: Reading) -> AsyncIterator[Any]:
    """Everything after an id; nothing when the space is gone."""
    while True:
        async with reading():
            try:
                page = (await found.query.fetch_objects(after=after, limit=PAGE, return_properties=properties)).objects
            except WeaviateQueryError as error:
                if not absent(error):
                    raise
                return
        for one in page:
            yield one
        if not page:
            return
        after = page[-1].uuid


async def left_in(found: Found | None, document: str, up_to: int, reading: Reading) -> int:
    """How many passages of a document's revisions up to one."""
    if found is None:
        return 0
    older = passages_of(document) & Where.by_property("revision").less_or_equal(up_to)
    async with reading():
        return (await found.aggregate.over_all(filters=older, total_count=True)).total_count or 0


async def highest_in(client: WeaviateAsyncClient, prefix: str, reading: Reading) -> int:
    """The highest revision of all spaces."""
    highest = 0
    async with reading():
        names = [name for name in await client.collections.list_all() if name.startswith(f"{prefix}_")]
    for name in names:
        async with reading():
            collection = client.collections.use(name)
            tenants = await collection.tenants.get()
        for tenant in tenants:
            async with reading():
                metrics = Metrics("revision").integer(maximum=True)
                told = await collection.with_tenant(tenant).aggregate.over_all(return_metrics=metrics)
                highest = max(highest, int(getattr(told.properties.get("revision"), "maximum", 0) or 0))
    return highest
