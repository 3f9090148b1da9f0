"""The contract before this one: what its producers say, today's code reads; what today's say, its consumers read.

`protos/previous.binpb` is the bundle of the last release; a release puts `build/protos/loopline.binpb` in its place.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from loopline_contracts.channels import CHANNELS, Channel
from loopline_nats.codec import decode

ROOT = Path(__file__).parents[2]


def pool_before() -> DescriptorPool:
    bundle = FileDescriptorSet.FromString((ROOT / "protos/previous.binpb").read_bytes())
    pool = DescriptorPool()
    for file in bundle.file:
        pool.Add(file)
    return pool


POOL = pool_before()


def known_before() -> Iterator[Channel[Message]]:
    for channel in CHANNELS:
        try:
            POOL.FindMessageTypeByName(channel.event.DESCRIPTOR.full_name)
        except KeyError:
            continue
        yield channel


BEFORE = list(known_before())


def full(kind: Descriptor, depth: int = 0) -> Message:
    """A message of that type with something in every field."""
    made = GetMessageClass(kind)()
    for field in kind.fields:
        if field.message_type and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            if not value.message_type:
                getattr(made, field.name)[scalar(key)] = scalar(value)
        elif field.message_type:
            if depth < 6:
                inner = full(field.message_type, depth + 1)
                target = getattr(made, field.name)
                target.add().CopyFrom(inner) if field.is_repeated else target.CopyFrom(inner)
        elif field.is_repeated:
            getattr(made, field.name).append(scalar(field))
        elif not field.containing_oneof or not made.WhichOneof(field.containing_oneof.name):
            setattr(made, field.name, scalar(field))
    return made


def scalar(field: FieldDescriptor) -> object:
    if field.enum_type:
        return field.enum_type.values[-1].number
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return b"\1\2" if field.type == FieldDescriptor.TYPE_BYTES else f"some {field.name}"
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return 0.5
        case _:
            return 7


def plain(message: Message) -> dict[str, object]:
    found: dict[str, object] = MessageToDict(message, preserving_proto_field_name=True)
    return found


def contains(whole: object, part: object) -> bool:
    """Everything of `part` is in `whole`; whole may say more."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(contains(a, b) for a, b in zip(whole, part, strict=True))
    return whole == part


def test_most_of_today_was_there_before():
    assert len(BEFORE) >= 10


@pytest.mark.parametrize("channel", BEFORE, ids=lambda channel: channel.name)
def test_what_was_said_before_is_read_today_in_full(channel: Channel[Message]):
    said = full(POOL.FindMessageTypeByName(channel.event.DESCRIPTOR.full_name))
    # As a service hears it.
    read = decode(channel.of("acme", "d1"), said.SerializeToString())
    assert len(UnknownFieldSet(read)) == 0, "a field was taken away: those who say it are not upgraded yet"
    assert plain(read) == plain(said)


@pytest.mark.parametrize("channel", BEFORE, ids=lambda channel: channel.name)
def test_what_is_said_today_is_read_by_those_from_before(channel: Channel[Message]):
    said = full(channel.event.DESCRIPTOR)
    before = GetMessageClass(POOL.FindMessageTypeByName(channel.event.DESCRIPTOR.full_name))
    read = before.FromString(said.SerializeToString())
    assert contains(plain(said), plain(read)), "a field changed its meaning"
    # And what they hand on is whole: fields they do not know survive them.
    assert channel.event.FromString(read.SerializeToString()) == said
