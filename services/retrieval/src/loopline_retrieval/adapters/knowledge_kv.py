"""What is known per document, and which version serves, in JetStream key-value buckets."""

import json
import time

from loopline_contracts.streams import Bucket
from loopline_nats.kv import Entries
from loopline_nats.line import Line
from loopline_retrieval.model import Known, Model, Progress
from loopline_runtime.errors import Aborted, Unavailable

READ_AGAIN_S = 1.0


class KnowledgeKv:
    """The port `Knowledge`."""

    def __init__(self, line: Line) -> None:
        self._entries = Entries(line, Bucket.RETRIEVAL_DOCUMENTS)

    async def get(self, tenant: str, collection: str, document: str) -> tuple[Known, int]:
        """See the port."""
        entry = await self._entries.get(f"{tenant}.{collection}.{document}")
        return (_known(entry.value), entry.revision) if entry else (Known(), 0)

    async def put_if(self, tenant: str, collection: str, document: str, known: Known, token: int) -> None:
        """See the port."""
        await self._entries.put_if(f"{tenant}.{collection}.{document}", _bytes(known), token)


class ServingKv:
    """The port `Serving`. Answers from memory for a second, and for as long as the bus is away."""

    def __init__(self, line: Line) -> None:
        self._entries = Entries(line, Bucket.RETRIEVAL_SERVING)
        self._known: dict[str, tuple[float, tuple[str, Model]]] = {}

    async def of(self, tenant: str, collection: str) -> tuple[str, Model] | None:
        """See the port."""
        key = f"{tenant}.{collection}"
        remembered = self._known.get(key)
        if remembered and time.monotonic() - remembered[0] < READ_AGAIN_S:
            return remembered[1]
        try:
            entry = await self._entries.get(key)
        except Unavailable:
            if remembered is None:
                raise
            return remembered[1]
        if entry is None:
            return None
        version, *model = json.loads(entry.value)
        self._known[key] = (time.monotonic(), (version, Model(*model)))
        return self._known[key][1]

    async def begin(self, tenant: str, collection: str, version: str, model: Model) -> None:
        """See the port."""
        value = json.dumps([version, model.name, model.revision, model.dimension]).encode()
        try:
            await self._entries.put_if(f"{tenant}.{collection}", value, 0)
        except Aborted:
            return


def _bytes(known: Known) -> bytes:
    return json.dumps(
        {
            "deleted": known.deleted,
            "readers": sorted(known.readers),
            "readers_since": known.readers_since,
            "versions": {name: [p.revision, p.count, sorted(p.seen)] for name, p in known.versions.items()},
        }
    ).encode()


def _known(value: bytes) -> Known:
    found = json.loads(value)
    return Known(
        deleted=found["deleted"],
        readers=frozenset(found["readers"]),
        readers_since=found["readers_since"],
        versions={name: Progress(r, count, frozenset(seen)) for name, (r, count, seen) in found["versions"].items()},
    )
