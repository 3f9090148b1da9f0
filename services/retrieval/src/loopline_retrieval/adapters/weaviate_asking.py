"""Weaviate asked over the client's connection, its replies read where they lie.

The client makes Python objects of all that a reply holds, which for two hundred hits takes as long as finding them, and of vectors longer still.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from weaviate.classes.config import ConsistencyLevel
from weaviate.classes.query import Filter as Where
from weaviate.collections.classes.filters import _Filters
from weaviate.collections.filters import _FilterToGRPC
from weaviate.exceptions import WeaviateQueryError
from weaviate.proto.v1 import base_pb2, base_search_pb2, search_get_pb2

from loopline_retrieval.adapters.weaviate_objects import Found
from loopline_retrieval.model import Hit, Vector

Values = Mapping[str, Any]
HEAD = "head"
LEVELS = {None: None, ConsistencyLevel.QUORUM: base_pb2.CONSISTENCY_LEVEL_QUORUM}


async def nearest(found: Found, vector: Vector, limit: int, where: _Filters) -> list[Hit]:
    """By cosine, best first."""
    near = base_search_pb2.NearVector(vector_bytes=vector)
    wanted = search_get_pb2.MetadataRequest(uuid=True, distance=True)
    results = await _search(found, where, limit, [HEAD], metadata=wanted, near_vector=near)
    return [Hit(_row(one), 1 - one.metadata.distance) for one in results]


async def keyword(found: Found, words: str, limit: int, where: _Filters) -> list[Hit]:
    """By BM25, best first, each with its vector: cheaper than to ask for their cosines afterwards."""
    any_of = base_search_pb2.BM25(query=words, properties=["words"])
    wanted = search_get_pb2.MetadataRequest(uuid=True, score=True, vector=True)
    results = await _search(found, where, limit, [HEAD], metadata=wanted, bm25_search=any_of)
    return [Hit(_row(one), one.metadata.score, one.metadata.vectors[0].vector_bytes) for one in results]


async def by_id(found: Found, ids: Sequence[str], properties: Sequence[str]) -> dict[str, Values]:
    """The objects that there are, each with the properties it has."""
    wanted = search_get_pb2.MetadataRequest(uuid=True)
    results = await _search(found, Where.by_id().contains_any(list(ids)), len(ids), properties, metadata=wanted)
    return {one.metadata.id: _values(one) for one in results}


async def any_there(found: Found, where: _Filters) -> bool:
    """Whether there is an object like that."""
    return bool(await _search(found, where, 1, [], metadata=search_get_pb2.MetadataRequest(uuid=True)))


def cosines(vector: Vector, others: Sequence[Vector]) -> list[float]:
    """Of each with the vector; all are of length 1."""
    if not others:
        return []
    told = np.frombuffer(b"".join(others), "<f4").reshape(len(others), -1)
    found: list[float] = (told @ np.frombuffer(vector, "<f4")).tolist()
    return found


async def _search(found: Found, where: _Filters, limit: int, properties: Sequence[str], **more: Any) -> Sequence[Any]:
    request = search_get_pb2.SearchRequest(
        uses_123_api=True,
        uses_125_api=True,
        uses_127_api=True,
        collection=found.name,
        tenant=found.tenant,
        consistency_level=LEVELS[found.consistency_level],
        limit=limit,
        properties=search_get_pb2.PropertiesRequest(non_ref_properties=properties),
        filters=_FilterToGRPC.convert(where),
        **more,
    )
    connection = found._connection
    try:
        # The client would try again for as long as whoever asks is willing to wait.
        reply = await connection.grpc_stub.Search(request, metadata=connection.grpc_headers())
    except grpc.aio.AioRpcError as error:
        raise WeaviateQueryError(error.details() or str(error.code()), "search") from error
    results: Sequence[Any] = reply.results
    return results


def _row(one: Any) -> str:
    """A passage and the head it needs, in one word."""
    return f"{one.metadata.id}/{one.properties.non_ref_props.fields[HEAD].text_value}"


def _values(one: Any) -> Values:
    fields = one.properties.non_ref_props.fields
    return {name: getattr(value, kind) for name, value in fields.items() if (kind := value.WhichOneof("kind"))}
