"""Protobuf on the wire; the subject says which message."""

from dataclasses import dataclass
from typing import Any

from faststream.message import StreamMessage
from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg

from loopline_contracts.channels import DEAD_LETTER
from loopline_nats.envelope import CONTENT_TYPE, Delivery, channel_of, received
from loopline_runtime.errors import Invalid


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as a handler's wrapper gets it: decoded, or with the reason why not."""

    raw: Msg
    delivery: Delivery
    event: Message | None
    unreadable: Invalid | None = None


def decode(subject: str, body: bytes) -> Message:
    """The fact in `body`. Invalid when the subject is none of ours or the bytes are not that message."""
    channel = channel_of(subject)
    if channel is None:
        raise Invalid(f"no event of ours has the subject {subject}", reason="UNKNOWN_EVENT")
    try:
        return channel.event.FromString(body)
    except DecodeError as error:
        raise Invalid(f"the bytes are not a {channel.event.DESCRIPTOR.full_name}", reason="UNREADABLE") from error


class ProtobufCodec:
    """What FastStream calls between the socket and a handler."""

    async def decode(self, msg: StreamMessage[Any]) -> Any:
        """Bytes to fact; a failure is carried, not raised, so that one place decides what becomes of it."""
        raw: Msg = msg.raw_message
        delivery = received(raw)
        if raw.subject.startswith(DEAD_LETTER):
            return Incoming(raw, delivery, None)
        try:
            return Incoming(raw, delivery, decode(raw.subject, raw.data))
        except Invalid as error:
            return Incoming(raw, delivery, None, error)

    async def encode(self, msg: Any, serializer: object = None) -> tuple[bytes, str]:
        """Fact to bytes."""
        return (msg.SerializeToString() if isinstance(msg, Message) else msg or b""), CONTENT_TYPE
