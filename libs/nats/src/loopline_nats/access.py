"""The key ring: API keys, hashed, in the bucket ACCESS, watched so that a revocation holds everywhere within a second."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nats.js.kv import KeyValue
from pydantic import ValidationError

from loopline_contracts.streams import Bucket
from loopline_nats.foreign import translated
from loopline_nats.kv import Entries
from loopline_runtime.access import Key, Right, hash_of, new_key
from loopline_runtime.errors import Conflict, Invalid, LooplineError, NotFound

if TYPE_CHECKING:
    from loopline_nats.line import Line

log = logging.getLogger(__name__)
WATCH_AGAIN_S = 1.0
# Of a key that somebody brings: 128 bits as hex.
SHORTEST_KEY = 32


class KeyRing:
    """Keys by their hash. `find` reads memory only, so a door needs no bus to let known callers in."""

    def __init__(self, line: "Line") -> None:
        self._entries = Entries(line, Bucket.ACCESS)
        self._keys: dict[str, Key] = {}

    def find(self, hashed: str) -> Key | None:
        """The key with this SHA-256 (hex), or None."""
        return self._keys.get(hashed)

    async def add(self, name: str, tenant: str, rights: Iterable[Right]) -> tuple[str, Key]:
        """Makes a key and returns it in plain, once, with what is kept of it. Conflict when the tenant has one of that name."""
        if any(key.name == name and key.tenant == tenant for key in await self.all()):
            raise Conflict(f"tenant {tenant} has a key named {name} already; revoke it first", field="name")
        plain = new_key()
        return plain, await self._keep(plain, name, tenant, rights)

    async def admit(self, plain: str, name: str, tenant: str, rights: Iterable[Right]) -> bool:
        """Makes a key known that was made elsewhere; True when it was not known yet. Invalid when it is too short to be one."""
        if len(plain) < SHORTEST_KEY:
            raise Invalid(f"the key {name} has fewer than {SHORTEST_KEY} characters", field=name)
        if await self._entries.get(hash_of(plain)):
            return False
        await self._keep(plain, name, tenant, rights)
        return True

    async def _keep(self, plain: str, name: str, tenant: str, rights: Iterable[Right]) -> Key:
        try:
            key = Key(
                name=name,
                tenant=tenant,
                rights=frozenset(rights),
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
                hint=plain[:8],
            )
        except ValidationError as error:
            detail = error.errors()[0]
            raise Invalid(f"{detail['loc'][0]}: {detail['msg']}", field=str(detail["loc"][0])) from error
        await self._entries.put(hash_of(plain), key.model_dump_json().encode())
        return key

    async def all(self) -> list[Key]:
        """Every key, by tenant and name."""
        found = []
        for hashed in await self._entries.keys():
            entry = await self._entries.get(hashed)
            if entry:
                found.append(Key.model_validate_json(entry.value))
        return sorted(found, key=lambda key: (key.tenant, key.name))

    async def revoke(self, name: str, tenant: str | None = None) -> int:
        """Removes the keys of that name (of one tenant); returns how many. NotFound when there was none."""
        removed = 0
        for hashed in await self._entries.keys():
            entry = await self._entries.get(hashed)
            key = Key.model_validate_json(entry.value) if entry else None
            if key and key.name == name and tenant in (None, key.tenant):
                await self._entries.delete(hashed)
                removed += 1
        if not removed:
            raise NotFound(f"no key named {name}")
        return removed

    @classmethod
    @asynccontextmanager
    async def watching(cls, line: "Line") -> AsyncIterator["KeyRing"]:
        """A ring that follows the bucket; entered when all present keys are read."""
        ring = cls(line)
        read = asyncio.Event()
        task = asyncio.create_task(ring._follow(read))
        waiting = asyncio.create_task(read.wait())
        try:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            yield ring
        finally:
            for job in (task, waiting):
                job.cancel()
                with suppress(asyncio.CancelledError):
                    await job

    async def _follow(self, read: asyncio.Event) -> None:
        while True:
            try:
                await self._watch(read)
            except LooplineError as error:
                if not read.is_set():
                    raise
                log.warning("the key ring is not followed for a moment: %s", error)
            await asyncio.sleep(WATCH_AGAIN_S)

    async def _watch(self, read: asyncio.Event) -> None:
        store: KeyValue = await self._entries.store()
        with translated("the key ring"):
            watcher = await store.watchall()
            fresh: dict[str, Key] = {}
            async for entry in watcher:
                if entry is None:  # all present entries were read
                    self._keys = fresh
                    read.set()
                elif entry.operation in ("DEL", "PURGE"):
                    fresh.pop(entry.key, None)
                else:
                    try:
                        fresh[entry.key] = Key.model_validate_json(entry.value or b"")
                    except ValidationError:
                        log.error("the key %s… is unreadable and does not count", entry.key[:8])  # noqa: TRY400
