"""How passages lie in Weaviate: one collection per embedding space, one of its tenants per space.

A passage is an object; a revision that answers has a head, an object without a vector that one write makes and that says so.
"""

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping

from weaviate import WeaviateAsyncClient
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.collections.classes.config import (
    ReplicationDeletionStrategy,
    _MultiTenancyConfigCreate,
    _ReplicationConfigCreate,
)
from weaviate.exceptions import UnexpectedStatusCodeError

from loopline_retrieval.filters import RESERVED
from loopline_retrieval.model import Disk, Model, Space

PASSAGE, HEAD = "passage", "head"
EVERYBODY = "*"

# How bytes of removed objects leave the disk: when Weaviate merges its files, which on a quiet index is never, or with their tenant.
IN_THE_FILES = Disk(
    "in Weaviate's files until they are merged, at a time of its own; at once when the index version is dropped: build it anew, switch, drop",
    gone=False,
)


def collection_name(prefix: str, model: Model) -> str:
    """One per embedding space; Weaviate takes letters, digits and _."""
    return f"{prefix}_{_letters(model.name)}_{_letters(model.revision)}_{model.dimension}"


def tenant_name(space: Space) -> str:
    """Of a space: readable while it fits Weaviate's 64 characters, else a hash of tenant and collection."""
    readable = f"{space.tenant}__{space.collection}__{space.version}"
    if len(readable) <= 64:
        return readable
    hashed = hashlib.sha256(f"{space.tenant}\0{space.collection}".encode()).hexdigest()[:40]
    return f"{hashed}__{space.version}"


def passage_id(chunk_id: str, revision: int) -> str:
    """Of a chunk in a revision: the same chunk may stand in two of them, A and, after B, A again."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{chunk_id}/{revision}"))


def head_id(document: str, revision: int) -> str:
    """Of a revision's head."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{document}/{revision}/head"))


def text_property(name: str) -> str:
    """Where a metadata key's value lies as text."""
    return f"text_{_letters(name)}"


def number_property(name: str) -> str:
    """Where it lies as a number, when it is one."""
    return f"number_{_letters(name)}"


def facets(source: str, title: str, document: str, metadata: Mapping[str, str]) -> dict[str, str | float]:
    """The properties that filters look at."""
    values = {**metadata, "source": source, "title": title, "document_id": document}
    found: dict[str, str | float] = {}
    for name, value in values.items():
        found[text_property(name)] = value
        number = _number(value)
        if number is not None:
            found[number_property(name)] = number
    return found


def facet_properties(names: Iterable[str]) -> list[Property]:
    """The properties of metadata keys; text is compared whole."""
    return [
        _text(name, filterable=True)
        if name.startswith("text_")
        else Property(name=name, data_type=DataType.NUMBER, index_filterable=True, index_range_filters=True)
        for name in names
    ]


def properties() -> list[Property]:
    """What every passage has."""
    reserved = [make(name) for name in RESERVED for make in (text_property, number_property)]
    return [
        _text("kind", filterable=True),
        _text("document", filterable=True),
        Property(name="revision", data_type=DataType.INT, index_filterable=True, index_range_filters=True),
        Property(name="staged", data_type=DataType.BOOL, index_filterable=True),
        Property(
            name="readers",
            data_type=DataType.TEXT_ARRAY,
            tokenization=Tokenization.FIELD,
            index_filterable=True,
            index_searchable=False,
        ),
        Property(
            name="words",
            data_type=DataType.TEXT,
            tokenization=Tokenization.WHITESPACE,
            index_filterable=False,
            index_searchable=True,
        ),
        *(
            _text(name, filterable=False)
            for name in ("head", "chunk_id", "text", "source", "title", "place", "metadata")
        ),
        *facet_properties(reserved),
    ]


def multi_tenancy() -> _MultiTenancyConfigCreate:
    """Tenants are made by the first write to them."""
    return Configure.multi_tenancy(enabled=True, auto_tenant_creation=True)


def replication(factor: int) -> _ReplicationConfigCreate:
    """What was deleted stays so when replicas differ."""
    return Configure.replication(
        factor=factor, async_enabled=factor > 1, deletion_strategy=ReplicationDeletionStrategy.DELETE_ON_CONFLICT
    )


VECTORS = Configure.Vectors.self_provided(
    vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
)
INVERTED = Configure.inverted_index(bm25_b=0.75, bm25_k1=1.2, index_null_state=True)


def _text(name: str, *, filterable: bool) -> Property:
    return Property(
        name=name,
        data_type=DataType.TEXT,
        tokenization=Tokenization.FIELD,
        index_filterable=filterable,
        index_searchable=False,
    )


def _letters(name: str) -> str:
    """Every name its own: what is no letter or digit is written as its number."""
    return re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}_", name)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


async def create(client: WeaviateAsyncClient, name: str, replicas: int) -> None:
    """Makes a collection, unless another replica was faster."""
    try:
        await client.collections.create(
            name,
            properties=properties(),
            multi_tenancy_config=multi_tenancy(),
            replication_config=replication(replicas),
            vector_config=VECTORS,
            inverted_index_config=INVERTED,
        )
    except UnexpectedStatusCodeError as error:
        if "already exists" not in str(error):
            raise
