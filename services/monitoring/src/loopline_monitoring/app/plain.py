"""What is kept, as bytes and back: dataclasses of the model in MessagePack."""

from typing import Any, Generic, TypeVar

import msgpack
from pydantic import TypeAdapter

from loopline_monitoring.model import Alarm, Comparison, Intention, Key, Span, Version

T = TypeVar("T")


class Form(Generic[T]):
    """How one type is written."""

    def __init__(self, kind: Any) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def plain(self, value: T) -> Any:
        """Lists, maps, numbers and text."""
        return self._adapter.dump_python(value, mode="json")

    def of_plain(self, plain: Any) -> T:
        """Back."""
        return self._adapter.validate_python(plain)

    def pack(self, value: T) -> bytes:
        """As bytes."""
        packed: bytes = msgpack.packb(self.plain(value))
        return packed

    def unpack(self, data: bytes) -> T:
        """Back."""
        return self.of_plain(msgpack.unpackb(data))


ALARM: Form[Alarm] = Form(Alarm)
SPAN: Form[Span] = Form(Span)
VERSIONS: Form[list[Version]] = Form(list[Version])
INTENTIONS: Form[list[Intention]] = Form(list[Intention])
COMPARISON: Form[Comparison] = Form(Comparison)
KEY: Form[Key] = Form(Key)
