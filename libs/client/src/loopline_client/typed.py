"""Messages of the contract as plain frozen objects that have the same field names."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message

T = TypeVar("T")


def typed(kind: type[T], message: Message) -> T:
    """Field by field: what is absent is None where the type says so, times are UTC, values of enums are their last words (FINISHED)."""
    known: Any = kind
    made: T = known(**{name: _field(hint, message, name) for name, hint in _hints(known).items()})
    return made


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _field(hint: Any, message: Message, name: str) -> Any:
    if get_origin(hint) is UnionType:
        if not message.HasField(name):
            return None
        hint = get_args(hint)[0]
    value = getattr(message, name)
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], one) for one in value)
    if get_origin(hint) is Mapping:
        return dict(value)
    enum = message.DESCRIPTOR.fields_by_name[name].enum_type
    return _word(enum, value) if enum else _value(hint, value)


def _value(hint: Any, value: Any) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return typed(hint, value)
    return value.ToDatetime() if hint is datetime else value


def _word(enum: EnumDescriptor, number: int) -> str:
    """Empty for the first value, which says nothing."""
    first: str = enum.values[0].name
    found: str = enum.values_by_number[number].name
    return "" if found == first else found.removeprefix(first.removesuffix("UNSPECIFIED"))
