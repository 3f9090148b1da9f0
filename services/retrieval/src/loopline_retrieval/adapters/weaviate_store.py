"""Weaviate as the store, for any number of replicas.

A revision answers when its head is there, one object, so one write shows it whole; passages of a revision without a head, or older than one with
a head, are left out. Nothing here needs a lock: writes are upserts, what is older is removed by number.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import weaviate
from weaviate.classes.config import ConsistencyLevel
from weaviate.classes.data import DataObject
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.classes.query import Filter as Where
from weaviate.collections.classes.filters import _Filters
from weaviate.config import GrpcConfig
from weaviate.exceptions import WeaviateInvalidInputError, WeaviateQueryError

from loopline_retrieval.adapters import weaviate_asking as asking
from loopline_retrieval.adapters import weaviate_schema as schema
from loopline_retrieval.adapters.stems import asked
from loopline_retrieval.adapters.weaviate_errors import absent, told, translated
from loopline_retrieval.adapters.weaviate_filter import answering, heads_of, named, of_document, passages_of
from loopline_retrieval.adapters.weaviate_objects import (
    PAGE,
    SHOWN,
    Found,
    changed,
    ids_of,
    objects_of,
    passage_id,
    passage_of,
    readers_said,
)
from loopline_retrieval.adapters.weaviate_scan import held_in, highest_in, left_in, rows_drawn
from loopline_retrieval.filters import Filter
from loopline_retrieval.model import Batch, Chunk, Disk, Hit, Passage, Row, Space, Vector
from loopline_retrieval.settings import Weaviate
from loopline_retrieval.versions import Held
from loopline_runtime.errors import Unavailable

T = TypeVar("T")
# A server that was restarted is found again soon; gRPC would wait up to two minutes.
CHANNEL: list[tuple[str, Any]] = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # Calls stay inside; gRPC would obey http_proxy of the environment.
    ("grpc.enable_http_proxy", 0),
]


class WeaviateStore:
    """The port `Store`."""

    def __init__(self, client: weaviate.WeaviateAsyncClient, settings: Weaviate) -> None:
        self._client = client
        self._settings = settings
        self._connecting = asyncio.Lock()
        self._places: dict[Space, Found] = {}
        self._properties: dict[str, set[str]] = {}

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Weaviate) -> AsyncIterator["WeaviateStore"]:
        """Connects on first use, so that a service starts while Weaviate is away."""
        # It would log objects that were refused, with their text; we tell why by an error.
        logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)
        timeout = Timeout(init=settings.timeout_s, query=settings.timeout_s, insert=settings.write_timeout_s)
        key = settings.key.get_secret_value()
        client = weaviate.use_async_with_custom(
            http_host=settings.host,
            http_port=settings.port,
            http_secure=settings.secure,
            grpc_host=settings.grpc_host or settings.host,
            grpc_port=settings.grpc_port,
            grpc_secure=settings.secure,
            auth_credentials=Auth.api_key(key) if key else None,
            additional_config=AdditionalConfig(timeout=timeout, grpc_config=GrpcConfig(channel_options=CHANNEL)),
            # Else it asks the network for its newest version.
            skip_init_checks=True,
        )
        try:
            yield cls(client, settings)
        finally:
            await client.close()

    async def put(self, batch: Batch, chunks: Sequence[Chunk], readers: frozenset[str]) -> None:
        """See the port. What is shown at once needs no staging."""
        facets = schema.facets(batch.source, batch.title, batch.document, batch.metadata)
        found = await self._made(batch, facets)
        try:
            async with self._writing():
                result = await found.data.insert_many(objects_of(batch, chunks, readers, facets))
            if result.errors:
                raise told("; ".join(sorted({error.message for error in result.errors.values()})))
        except Unavailable:
            self._properties.pop(found.name, None)  # perhaps somebody removed the collection: the next try looks
            raise

    async def show(self, space: Space, document: str, revision: int) -> None:
        """See the port."""
        found = await self._found(space)
        if found is None:
            return
        others = Where.by_property("revision").not_equal(revision) | Where.by_property("staged").equal(True)
        async with self._writing():
            # Of most documents there is nothing but one batch of one revision.
            alone = not await asking.any_there(found, of_document(document) & others)
            if not alone:
                await self._unstage(found, document, revision)
            head = {"kind": schema.HEAD, "document": document, "revision": revision}
            said = DataObject(uuid=schema.head_id(document, revision), properties=head)
            result = await found.data.insert_many([said])
            if result.errors:
                raise told("; ".join(error.message for error in result.errors.values()))
            if not alone:
                older = Where.by_property("revision").less_than(await self._newest(found, document))
                await self._deleted(found, of_document(document) & older)

    async def remove(self, space: Space, document: str, up_to: int) -> None:
        """See the port."""
        found = await self._found(space)
        if found is not None:
            async with self._writing():
                older = of_document(document) & Where.by_property("revision").less_or_equal(up_to)
                await self._deleted(found, older)

    async def drop(self, space: Space, document: str, revision: int) -> None:
        """See the port."""
        found = await self._found(space)
        if found is None:
            return
        async with self._writing():
            if await self._newest(found, document) != revision:
                await self._deleted(found, of_document(document) & Where.by_property("revision").equal(revision))

    async def discard(self, space: Space) -> None:
        """See the port: Weaviate removes a tenant's files at once."""
        found = await self._found(space)
        if found is not None:
            async with self._writing():
                await found.tenants.remove([schema.tenant_name(space)])
            self._places.pop(space, None)

    async def highest(self) -> int:
        """See the port."""
        return await highest_in(await self._connected(), self._settings.prefix, self._reading)

    async def left(self, space: Space, document: str, up_to: int) -> int:
        """See the port."""
        return await left_in(await self._found(space), document, up_to, self._reading)

    async def erase(self, space: Space, document: str, up_to: int) -> Disk:
        """See the port: nothing finds it any more, but its bytes stay in Weaviate's files."""
        await self.remove(space, document, up_to)
        return schema.IN_THE_FILES

    async def set_readers(self, space: Space, document: str, readers: frozenset[str], before: int) -> None:
        """See the port."""
        found = await self._found(space)
        if found is None:
            return
        older = passages_of(document) & Where.by_property("revision").less_than(before)
        async with self._writing():
            offset = 0
            while page := await ids_of(found, older, offset):
                await changed(found, page, {"readers": readers_said(readers)})
                offset += len(page)

    async def nearest(
        self, space: Space, vector: Vector, limit: int, where: Filter | None, principals: frozenset[str]
    ) -> list[Hit]:
        """See the port."""

        async def ask(found: Found, known: set[str]) -> list[Hit]:
            return await asking.nearest(found, vector, limit, answering(where, principals, known))

        return await self._asked(space, ask, [], where)

    async def keyword(
        self, space: Space, question: str, limit: int, where: Filter | None, principals: frozenset[str]
    ) -> list[Hit]:
        """See the port. Each hit brings its vector along."""
        words = asked(question)

        async def ask(found: Found, known: set[str]) -> list[Hit]:
            return await asking.keyword(found, words, limit, answering(where, principals, known))

        return await self._asked(space, ask, [], where) if words else []

    async def cosines(self, space: Space, vector: Vector, hits: Sequence[Hit]) -> dict[Row, float]:
        """See the port; asks nothing."""
        told = asking.cosines(vector, [hit.vector or b"" for hit in hits])
        return {hit.row: cosine for hit, cosine in zip(hits, told, strict=True)}

    async def passages(self, space: Space, rows: Sequence[Row]) -> dict[Row, Passage]:
        """See the port. Of two revisions of one document that both have a head, the newer."""
        ids = {part for row in rows for part in str(row).split("/")}

        async def ask(found: Found, _: set[str]) -> dict[Row, Passage]:
            objects = await asking.by_id(found, sorted(ids), SHOWN)
            newest: dict[str, int] = {}
            for head in objects.values():
                if head["kind"] == schema.HEAD:
                    newest[head["document"]] = max(head["revision"], newest.get(head["document"], 0))
            return {
                row: passage_of(space, said)
                for row in rows
                if (said := objects.get(passage_id(row))) and newest.get(said["document"]) == said["revision"]
            }

        return await self._asked(space, ask, {}) if ids else {}

    async def sample(self, space: Space, count: int, seed: int, principals: frozenset[str]) -> list[Passage]:
        """See the port."""
        found = await self._found(space)
        pages = await rows_drawn(found, count, seed, principals, self._reading) if found is not None else []
        return [passage for rows in pages for passage in (await self.passages(space, rows)).values()]

    async def held(self, space: Space) -> AsyncIterator[Held]:
        """See the port."""
        found = await self._found(space)
        if found is not None:
            async for held in held_in(found, self._reading):
                yield held

    async def ready(self) -> None:
        """See the port."""
        await self._connected()
        async with self._reading():
            if not await self._client.is_ready():
                raise Unavailable("Weaviate is not ready", reason="INDEX_UNAVAILABLE")

    async def _asked(
        self,
        space: Space,
        ask: Callable[[Found, set[str]], Coroutine[Any, Any, T]],
        nothing: T,
        where: Filter | None = None,
    ) -> T:
        """A question to a space; the space may be gone since it was seen."""
        found = await self._found(space)
        if found is None:
            return nothing
        async with self._reading():
            known = await self._known(found.name)
            if where is not None and not named(where) <= known:  # perhaps another replica has written it meanwhile
                known = await self._known(found.name, again=True)
            try:
                return await ask(found, known)
            except WeaviateQueryError as error:
                if not absent(error):
                    raise
                self._places.pop(space, None)
                return nothing

    async def _deleted(self, found: Found, where: _Filters) -> None:
        """All that match; one call removes at most 10,000."""
        while True:
            result = await found.data.delete_many(where=where)
            if result.failed:
                raise Unavailable(f"Weaviate could not delete {result.failed} objects", reason="INDEX_UNAVAILABLE")
            if not result.successful:
                return

    async def _unstage(self, found: Found, document: str, revision: int) -> None:
        staged = passages_of(document) & Where.by_property("revision").equal(revision)
        staged &= Where.by_property("staged").equal(True)
        while page := await ids_of(found, staged, 0):
            await changed(found, page, {"staged": False})

    async def _newest(self, found: Found, document: str) -> int:
        reply = await found.query.fetch_objects(filters=heads_of(document), limit=PAGE, return_properties=["revision"])
        return max((int(one.properties["revision"]) for one in reply.objects), default=0)

    def _reading(self) -> AbstractAsyncContextManager[None]:
        return translated(self._settings.timeout_s)

    def _writing(self) -> AbstractAsyncContextManager[None]:
        return translated(self._settings.write_timeout_s)

    async def _connected(self) -> weaviate.WeaviateAsyncClient:
        if not self._client.is_connected():
            async with self._connecting:
                if not self._client.is_connected():
                    async with self._reading():
                        await self._client.connect()
        return self._client

    def _at(self, name: str, space: Space) -> Found:
        found = self._places.get(space)
        if found is None or found.name != name:
            level = ConsistencyLevel.QUORUM if self._settings.replicas > 1 else None
            tenant = self._client.collections.use(name).with_tenant(schema.tenant_name(space))
            found = self._places[space] = tenant.with_consistency_level(level)
        return found

    async def _found(self, space: Space) -> Found | None:
        """The space's place, or None when nobody wrote to it."""
        client = await self._connected()
        if space not in self._places:
            async with self._reading():
                names = [
                    name for name in await client.collections.list_all() if name.startswith(f"{self._settings.prefix}_")
                ]
                for name in names:
                    if await client.collections.use(name).tenants.exists(schema.tenant_name(space)):
                        return self._at(name, space)
                return None
        return self._places[space]

    async def _made(self, batch: Batch, facets: dict[str, Any]) -> Found:
        """The space's place, with all properties that the batch needs."""
        client = await self._connected()
        name = schema.collection_name(self._settings.prefix, batch.model)
        async with self._writing():
            if not await self._known(name) and not await client.collections.exists(name):
                await schema.create(client, name, self._settings.replicas)
            missing = facets.keys() - await self._known(name)
            if missing:
                missing = facets.keys() - await self._known(name, again=True)
            for made in schema.facet_properties(sorted(missing)):
                try:
                    await client.collections.use(name).config.add_property(made)
                except WeaviateInvalidInputError as error:
                    if "already exists" not in str(error):
                        raise
                self._properties[name].add(made.name)
        return self._at(name, batch.space)

    async def _known(self, name: str, *, again: bool = False) -> set[str]:
        """The properties of a collection, as last seen; empty when there is none."""
        if again or not self._properties.get(name):
            collection = self._client.collections.use(name)
            there = await self._client.collections.exists(name)
            config = await collection.config.get() if there else None
            self._properties[name] = {one.name for one in config.properties} if config else set()
        return self._properties[name]
