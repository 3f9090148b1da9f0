"""What the operators' commands share: the bus, and facts as people read them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from loopline_nats.envelope import Delivery
    from loopline_nats.line import Line


@asynccontextmanager
async def bus(user: str = "") -> AsyncIterator["Line"]:
    """The bus of the line we talk to, as the operator or as a downstream team."""
    from loopline_client.library import Loopline

    async with Loopline.local() as line:
        yield await line.bus(user)


def readable(body: "Message | None") -> Any:
    """A message as JSON for people: vectors are only counted."""
    from google.protobuf.json_format import MessageToDict

    if body is None:
        return None
    plain = MessageToDict(body)
    for name in ("vectors", "vector"):
        if name in plain:
            plain[name] = f"{len(plain[name])} vectors" if isinstance(plain[name], list) else "a vector"
    return plain


def event_of(event: "Message | None", delivery: "Delivery") -> dict[str, Any]:
    """A fact with its attributes, as JSON can hold it."""
    return {
        "event": delivery.event,
        "id": delivery.id,
        "tenant": delivery.tenant,
        "document": delivery.document,
        "sequence": delivery.sequence,
        "revision": delivery.revision,
        "time": delivery.time,
        "headers": dict(delivery.headers),
        "body": readable(event),
    }
