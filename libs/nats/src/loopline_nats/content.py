"""How much of questions, answers and passages stands in events: a setting per tenant."""

import hashlib
import time
from enum import StrEnum
from typing import TYPE_CHECKING

from loopline_contracts.streams import Bucket
from loopline_nats.kv import Entries
from loopline_runtime.errors import Unavailable

if TYPE_CHECKING:
    from loopline_nats.line import Line

READ_AGAIN_S = 5.0


class Content(StrEnum):
    """FULL as it is; HASHED comparable but unreadable; ABSENT empty."""

    FULL = "full"
    HASHED = "hashed"
    ABSENT = "absent"

    def shown(self, text: str) -> str:
        """What of a text may stand in an event."""
        if self is Content.FULL or not text:
            return text
        return "" if self is Content.ABSENT else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class Contents:
    """The setting of each tenant; FULL until set. A change holds everywhere within five seconds."""

    def __init__(self, line: "Line") -> None:
        self._entries = Entries(line, Bucket.TENANTS)
        self._known: dict[str, tuple[float, Content]] = {}

    async def of(self, tenant: str) -> Content:
        """The setting. While the bus is away the last known one holds; ABSENT when none is known."""
        read_at, content = self._known.get(tenant, (float("-inf"), Content.ABSENT))
        if time.monotonic() - read_at > READ_AGAIN_S:
            try:
                entry = await self._entries.get(f"{tenant}.content")
            except Unavailable:
                return content
            content = Content(entry.value.decode()) if entry else Content.FULL
            self._known[tenant] = (time.monotonic(), content)
        return content

    async def put(self, tenant: str, content: Content) -> None:
        """Changes the setting of a tenant."""
        await self._entries.put(f"{tenant}.content", content.value.encode())
        self._known.pop(tenant, None)
