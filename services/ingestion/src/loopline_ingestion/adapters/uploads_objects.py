"""Raw bytes in the object store beside the bus."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from loopline_ingestion.ports import Stored, Upload
from loopline_nats.objects import Objects


class UploadsObjects:
    """The port `Uploads`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def put(self, name: str, parts: AsyncIterator[bytes], turn: AbstractAsyncContextManager[object]) -> Stored:
        """See the port."""
        stored = await self._objects.put(name, parts, turn)
        return Stored(stored.size_bytes, stored.sha256)

    def get(self, name: str) -> AsyncIterator[bytes]:
        """See the port."""
        return self._objects.get(name)

    async def delete(self, name: str) -> None:
        """See the port."""
        await self._objects.delete(name)

    async def has(self, name: str) -> bool:
        """See the port."""
        return await self._objects.has(name)

    async def all(self) -> list[Upload]:
        """See the port."""
        return [Upload(named.name, named.age_s) for named in await self._objects.names()]
