"""What is known per document, in a JetStream key-value bucket."""

import json
from collections.abc import AsyncIterator

from loopline_contracts.streams import Bucket
from loopline_nats.kv import Entries
from loopline_nats.line import Line
from loopline_retrieval.model import Known, Progress


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

    async def all(self, tenant: str, collection: str) -> AsyncIterator[tuple[str, Known]]:
        """See the port."""
        async for key, entry in self._entries.items(f"{tenant}.{collection}.*"):
            yield key.rsplit(".", 1)[-1], _known(entry.value)


def _bytes(known: Known) -> bytes:
    return json.dumps(
        {
            "deleted": known.deleted,
            "readers": sorted(known.readers),
            "readers_since": known.readers_since,
            "versions": {name: [p.revision, p.count, sorted(p.seen), p.shown] for name, p in known.versions.items()},
        }
    ).encode()


def _known(value: bytes) -> Known:
    found = json.loads(value)
    return Known(
        deleted=found["deleted"],
        readers=frozenset(found["readers"]),
        readers_since=found["readers_since"],
        versions={name: _progress(*said) for name, said in found["versions"].items()},
    )


def _progress(revision: int, count: int, seen: list[int], shown: int | None = None) -> Progress:
    """Entries of a former release do not say what was shown."""
    whole = len(seen) == count
    return Progress(revision, count, frozenset(seen), shown if shown is not None else revision * whole)
