"""Messages of the contract as JSON."""

import json
import sys
from collections.abc import Iterable

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message


def told(message: Message) -> dict[str, object]:
    """With the names of the contract; what is not set is there too, empty."""
    made: dict[str, object] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return made


def told_as_json(message: Message) -> None:
    """On standard output."""
    _write(told(message))


def listed_as_json(messages: Iterable[Message]) -> None:
    """A list of them."""
    _write([told(message) for message in messages])


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
