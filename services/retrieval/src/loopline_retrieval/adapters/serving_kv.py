"""Which index version serves, in a JetStream key-value bucket: one entry per tenant and collection."""

import json
import time
from dataclasses import asdict
from typing import Any

from loopline_contracts.streams import Bucket
from loopline_nats.kv import Entries
from loopline_nats.line import Line
from loopline_retrieval.model import Model, Space
from loopline_retrieval.versions import Change, Comparison, Completeness, Index, Latency, Metric
from loopline_runtime.errors import Unavailable

READ_AGAIN_S = 1.0


class ServingKv:
    """The port `Serving`. Answers from memory for a second, and for as long as the bus is away."""

    def __init__(self, line: Line) -> None:
        self._entries = Entries(line, Bucket.RETRIEVAL_SERVING)
        self._known: dict[tuple[str, str], tuple[float, Index]] = {}

    async def of(self, tenant: str, collection: str) -> tuple[str, Model] | None:
        """See the port."""
        index = await self._remembered(tenant, collection)
        return (index.serving, index.versions[index.serving]) if index else None

    async def dropped(self, space: Space) -> bool:
        """See the port."""
        index = await self._remembered(space.tenant, space.collection)
        return index is not None and space.version in index.dropped

    async def index(self, tenant: str, collection: str) -> tuple[Index | None, int]:
        """See the port."""
        entry = await self._entries.get(f"{tenant}.{collection}")
        if entry is None:
            return None, 0
        index = _index(json.loads(entry.value))
        self._known[tenant, collection] = (time.monotonic(), index)
        return index, entry.revision

    async def put_if(self, tenant: str, collection: str, index: Index, token: int) -> None:
        """See the port."""
        await self._entries.put_if(f"{tenant}.{collection}", _bytes(index), token)
        self._known[tenant, collection] = (time.monotonic(), index)

    async def all(self) -> list[tuple[str, str]]:
        """See the port."""
        return [(tenant, collection) for tenant, collection in (key.split(".") for key in await self._entries.keys())]

    async def _remembered(self, tenant: str, collection: str) -> Index | None:
        remembered = self._known.get((tenant, collection))
        if remembered and time.monotonic() - remembered[0] < READ_AGAIN_S:
            return remembered[1]
        try:
            return (await self.index(tenant, collection))[0]
        except Unavailable:
            if remembered is None:
                raise
            return remembered[1]


def _bytes(index: Index) -> bytes:
    plain = asdict(index)
    plain["dropped"] = sorted(index.dropped)
    return json.dumps(plain).encode()


def _index(found: Any) -> Index:
    if isinstance(found, list):  # of a former release: the version that serves and its model
        version, *model = found
        return Index(version, {version: Model(*model)})
    return Index(
        found["serving"],
        {name: Model(**model) for name, model in found["versions"].items()},
        found["previous"],
        frozenset(found["dropped"]),
        tuple(_change(change) for change in found["changes"]),
        found["told"],
    )


def _change(found: dict[str, Any]) -> Change:
    comparison, completeness = found.pop("comparison"), found.pop("completeness")
    if comparison:
        comparison["metrics"] = tuple(Metric(**metric) for metric in comparison["metrics"])
        for name in ("baseline_latency", "candidate_latency"):
            comparison[name] = Latency(**comparison[name])
    if completeness:
        completeness["examples"] = tuple(completeness["examples"])
    return Change(
        **found,
        comparison=Comparison(**comparison) if comparison else None,
        completeness=Completeness(**completeness) if completeness else None,
    )
