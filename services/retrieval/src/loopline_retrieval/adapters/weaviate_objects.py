"""Passages as Weaviate keeps them: made from a batch, found, changed, read back as rows and passages."""

import asyncio
import json
import struct
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from weaviate.classes.data import DataObject
from weaviate.collections.classes.filters import _Filters
from weaviate.exceptions import UnexpectedStatusCodeError

from loopline_retrieval.adapters import weaviate_schema as schema
from loopline_retrieval.adapters.stems import stemmed
from loopline_retrieval.model import Batch, Chunk, Passage, Place, Row, Space

Found = Any  # the client's collection, of one tenant
PAGE, AT_ONCE = 500, 16
SHOWN = ["document", "revision", "kind", "chunk_id", "text", "source", "title", "place", "metadata"]


def objects_of(
    batch: Batch, chunks: Sequence[Chunk], readers: frozenset[str], facets: Mapping[str, Any]
) -> list[DataObject[Any, Any]]:
    """A batch's passages; what is shown at once needs no staging."""
    said = {
        "kind": schema.PASSAGE,
        "document": batch.document,
        "revision": batch.revision,
        "staged": batch.count > 1,
        "readers": readers_said(readers),
        "head": schema.head_id(batch.document, batch.revision),
        "source": batch.source,
        "title": batch.title,
        "metadata": json.dumps(dict(batch.metadata)),
        **facets,
    }
    return [
        DataObject(
            uuid=schema.passage_id(chunk.chunk_id, batch.revision),
            vector=list(struct.unpack(f"<{len(chunk.vector) // 4}f", chunk.vector)),
            properties={
                **said,
                "chunk_id": chunk.chunk_id,
                "text": chunk.text,
                "words": stemmed(f"{batch.title} {chunk.text}"),
                "place": _place(chunk.place),
            },
        )
        for chunk in chunks
    ]


def readers_said(readers: frozenset[str]) -> list[str]:
    """Who may read, as it is kept; nobody named: everybody."""
    return [f"={reader}" for reader in sorted(readers)] or [schema.EVERYBODY]


def row_of(one: Any) -> Row:
    """A passage and the head it needs, in one word."""
    return f"{one.uuid}/{one.properties['head']}"


def passage_id(row: Row) -> str:
    """The passage's own id in a row."""
    return str(row).split("/", 1)[0]


def passage_of(space: Space, said: Mapping[str, Any]) -> Passage:
    """What was kept as a passage."""
    page, sheet, headings, start, end = json.loads(said["place"])
    return Passage(
        said["chunk_id"],
        said["document"],
        space.collection,
        said["source"],
        said["title"],
        said["revision"],
        said["text"],
        Place(page, sheet, tuple(headings), start, end),
        json.loads(said["metadata"]),
    )


async def ids_of(found: Found, where: _Filters, offset: int) -> list[str]:
    """A page of the ids that match."""
    reply = await found.query.fetch_objects(filters=where, limit=PAGE, offset=offset, return_properties=[])
    return [str(one.uuid) for one in reply.objects]


async def changed(found: Found, ids: Sequence[str], properties: dict[str, Any]) -> None:
    """Sets properties of each; whoever was removed meanwhile stays removed."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def change(one: str) -> None:
        async with limit:
            try:
                await found.data.update(uuid=one, properties=properties)
            except UnexpectedStatusCodeError as error:
                if error.status_code != HTTPStatus.NOT_FOUND:
                    raise

    await asyncio.gather(*(change(one) for one in ids))


def _place(place: Place) -> str:
    return json.dumps([place.page, place.sheet, list(place.headings), place.start, place.end])
