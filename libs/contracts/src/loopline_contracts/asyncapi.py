"""The map of events as an AsyncAPI 3 document, for downstream teams: `python -m loopline_contracts.asyncapi > protos/asyncapi.json`."""

import json
import sys
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from loopline_contracts.channels import CHANNELS, DURABLES, READERS, Channel, Durable, Reader
from loopline_contracts.streams import STREAM_BY_NAME, Full, Stream

_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "pattern": "^[0-9]+$"},
    FieldDescriptor.TYPE_INT32: {"type": "integer"},
    FieldDescriptor.TYPE_INT64: {"type": "string", "pattern": "^-?[0-9]+$"},
}


def document() -> dict[str, Any]:
    """The whole document, in a stable order."""
    schemas: dict[str, Any] = {}
    channels = {channel.label: _channel(channel, schemas) for channel in CHANNELS}
    operations = {
        f"say_{channel.label}": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{channel.label}"},
            "title": channel.owner,
        }
        for channel in CHANNELS
    }
    hearers: tuple[Durable | Reader, ...] = (*DURABLES, *READERS)
    for hearer in hearers:
        for channel in hearer.hears:
            operations[f"hear_{channel.label}_by_{hearer.name}"] = {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{channel.label}"},
                "title": hearer.name,
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Loopline events",
            "version": "1.0.0",
            "description": (
                "Facts on NATS JetStream: CloudEvents 1.0 in binary mode, body in protobuf. Schemas show the protobuf JSON mapping. "
                "Delivery is at least once: a consumer may see a fact again (same ce-id) and must treat the repeat as the same fact. "
                "Within one stream facts come in the order of their sequence; a document's changes are ordered by revision, "
                "the sequence of the change in INGESTION, never by arrival."
            ),
        },
        "defaultContentType": "application/protobuf",
        "channels": channels,
        "operations": operations,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _channel(channel: Channel[Any], schemas: dict[str, Any]) -> dict[str, Any]:
    stream = STREAM_BY_NAME[channel.stream]
    descriptor = channel.event.DESCRIPTOR
    parameters = {"tenant": {"description": "[a-z0-9][a-z0-9-]{0,62}"}}
    address = f"{channel.subject}.{{tenant}}"
    if channel.by_document:
        parameters["document"] = {"description": "The document's id, 32 hex digits."}
        address += ".{document}"
    return {
        "address": address,
        "description": _promises(stream),
        "parameters": parameters,
        "messages": {
            descriptor.name: {
                "name": descriptor.full_name,
                "contentType": "application/protobuf",
                "headers": _headers(descriptor.full_name),
                "payload": _reference(descriptor, schemas),
            }
        },
        "x-loopline": {
            "owner": channel.owner,
            "stream": stream.name,
            "kept_seconds": stream.max_age_s or None,
            "duplicates_seconds": stream.duplicates_s,
            "when_full": stream.full.value,
            "kept_as": stream.kept.value,
        },
    }


def _promises(stream: Stream) -> str:
    kept = f"kept {stream.max_age_s / 3600:g} hours" if stream.max_age_s else "kept until deleted"
    full = "a full stream refuses new facts" if stream.full is Full.REFUSE else "a full stream drops the oldest facts"
    return f"Stream {stream.name}: {kept}; {full}; a repeated ce-id is dropped within {stream.duplicates_s:g} s."


def _headers(full_name: str) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["ce-id", "ce-source", "ce-type", "ce-specversion", "ce-time"],
        "properties": {
            "ce-specversion": {"const": "1.0"},
            "ce-type": {"const": full_name},
            **{
                f"ce-{name}": text
                for name in ("id", "source", "time", "subject", "tenantid", "correlationid", "causationid")
            },
            "traceparent": text,
            "loopline-revision": {"type": "string", "description": "On a replay: the revision the fact first had."},
        },
    }


def _reference(descriptor: Descriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if descriptor.full_name == "google.protobuf.Timestamp":
        return {"type": "string", "format": "date-time"}
    if descriptor.full_name not in schemas:
        schemas[descriptor.full_name] = {}
        properties = {field.json_name: _field(field, schemas) for field in descriptor.fields}
        schemas[descriptor.full_name] = {"type": "object", "properties": properties}
    return {"$ref": f"#/components/schemas/{descriptor.full_name}"}


def _field(field: FieldDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _one(message.fields_by_name["value"], schemas)}
    one = _one(field, schemas)
    return {"type": "array", "items": one} if field.is_repeated else one


def _one(field: FieldDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if field.message_type is not None:
        return _reference(field.message_type, schemas)
    if field.enum_type is not None:
        return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    return _SCALARS[field.type]


def main() -> None:
    """Writes the document to standard output."""
    sys.stdout.write(json.dumps(document(), indent=2) + "\n")


if __name__ == "__main__":
    main()
