"""One idempotent step that makes what is missing on the bus and never changes what an operator set.

Subjects and filters are ours: a new version may add to them. Everything else that differs from the table is only told.
"""

from dataclasses import dataclass
from typing import Any

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    KeyValueConfig,
    ObjectStoreConfig,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from loopline_contracts.channels import DURABLES, Durable
from loopline_contracts.streams import DAY_S, GIB, STREAMS, Bucket, Full, Stream
from loopline_nats.foreign import translated
from loopline_nats.line import Line

MIN_ACK_PENDING = 1000
ATTEMPTS_KEPT_S = 7 * DAY_S


@dataclass(frozen=True, slots=True)
class Difference:
    """What is on the bus and what the table says. `action`: create, update, or keep (told, not touched)."""

    kind: str
    name: str
    field: str
    wanted: str
    found: str
    action: str


async def plan(line: Line, *, replicas: int = 1, scale: float = 1.0) -> list[Difference]:
    """What `apply` would do, and what it would leave. `scale` shrinks all byte limits (a laptop's disk is small)."""
    return await _Provision(line, replicas, scale).differences()


async def apply(line: Line, *, replicas: int = 1, scale: float = 1.0) -> list[Difference]:
    """Makes what is missing; safe to run at any time, by several at once."""
    provision = _Provision(line, replicas, scale)
    differences = await provision.differences()
    for difference in differences:
        if difference.action != "keep":
            await provision.carry_out(difference)
    return differences


class _Provision:
    def __init__(self, line: Line, replicas: int, scale: float) -> None:
        self._js = line.jetstream
        self._replicas = replicas
        self._scale = scale

    async def differences(self) -> list[Difference]:
        with translated("reading what is provisioned"):
            found: list[Difference] = []
            for stream in STREAMS:
                found += await self._of_stream(stream)
            for durable in DURABLES:
                found += await self._of_durable(durable)
            for bucket in Bucket:
                name = ("OBJ_" if bucket is Bucket.UPLOADS else "KV_") + bucket
                if await self._stream_config(name) is None:
                    found.append(Difference("bucket", bucket, "", "there", "missing", "create"))
            return found

    async def carry_out(self, difference: Difference) -> None:
        with translated(f"provisioning {difference.kind} {difference.name}"):
            match difference.kind:
                case "stream":
                    await self._put_stream(next(s for s in STREAMS if s.name == difference.name), difference.action)
                case "durable":
                    durable = next(d for d in DURABLES if d.name == difference.name)
                    await self._put_durable(durable, difference.action)
                case _:
                    await self._make_bucket(Bucket(difference.name))

    async def _stream_config(self, name: str) -> StreamConfig | None:
        try:
            return (await self._js.stream_info(name)).config
        except NotFoundError:
            return None

    def _wanted_stream(self, stream: Stream) -> StreamConfig:
        return StreamConfig(
            name=stream.name,
            description=f"{stream.kept}; see the table of streams",
            subjects=sorted(stream.subjects),
            max_age=stream.max_age_s,
            max_bytes=int(stream.max_bytes * self._scale),
            discard=DiscardPolicy.NEW if stream.full is Full.REFUSE else DiscardPolicy.OLD,
            duplicate_window=stream.duplicates_s,
            storage=StorageType.FILE,
            num_replicas=self._replicas,
            allow_direct=True,
        )

    async def _of_stream(self, stream: Stream) -> list[Difference]:
        wanted, found = self._wanted_stream(stream), await self._stream_config(stream.name)
        if found is None:
            return [Difference("stream", stream.name, "", "there", "missing", "create")]
        told = _told(
            "stream", stream.name, wanted, found, "max_age", "max_bytes", "discard", "duplicate_window", "num_replicas"
        )
        missing = set(wanted.subjects or ()) - set(found.subjects or ())
        if missing:
            told.append(Difference("stream", stream.name, "subjects", ", ".join(sorted(missing)), "missing", "update"))
        return told

    async def _put_stream(self, stream: Stream, action: str) -> None:
        if action == "create":
            await self._js.add_stream(self._wanted_stream(stream))
            return
        found = (await self._js.stream_info(stream.name)).config
        found.subjects = sorted({*(found.subjects or ()), *stream.subjects})
        await self._js.update_stream(found)

    def _wanted_durable(self, durable: Durable) -> ConsumerConfig:
        return ConsumerConfig(
            durable_name=durable.name,
            name=durable.name,
            filter_subjects=sorted(durable.filters),
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=durable.ack_wait_s,
            # Shared by all replicas, and delayed naks hold it: room for four times sixteen replicas at full work.
            max_ack_pending=max(MIN_ACK_PENDING, 4 * 16 * durable.at_once),
            max_deliver=-1,
        )

    async def _of_durable(self, durable: Durable) -> list[Difference]:
        wanted = self._wanted_durable(durable)
        try:
            found = (await self._js.consumer_info(durable.stream, durable.name)).config
        except NotFoundError:
            return [Difference("durable", durable.name, "", "there", "missing", "create")]
        told = _told("durable", durable.name, wanted, found, "ack_wait", "max_ack_pending", "max_deliver")
        listens = sorted(found.filter_subjects or filter(None, [found.filter_subject]))
        if listens != wanted.filter_subjects:
            told.append(
                Difference("durable", durable.name, "filter", ", ".join(durable.filters), ", ".join(listens), "update")
            )
        return told

    async def _put_durable(self, durable: Durable, action: str) -> None:
        wanted = self._wanted_durable(durable)
        if action == "update":
            found = (await self._js.consumer_info(durable.stream, durable.name)).config
            found.filter_subject, found.filter_subjects = None, wanted.filter_subjects
            wanted = found
        await self._js.add_consumer(durable.stream, wanted)

    async def _make_bucket(self, bucket: Bucket) -> None:
        if bucket is Bucket.UPLOADS:
            config = ObjectStoreConfig(
                description="raw bytes of documents", max_bytes=int(64 * GIB * self._scale), replicas=self._replicas
            )
            await self._js.create_object_store(bucket.value, config)
            return
        await self._js.create_key_value(
            KeyValueConfig(
                bucket=bucket.value,
                max_bytes=int(GIB * self._scale),
                ttl=ATTEMPTS_KEPT_S if bucket is Bucket.ATTEMPTS else None,
                replicas=self._replicas,
                # Read from the leader: who looks again after a write must not see what was before it.
                direct=False,
            )
        )


def _told(kind: str, name: str, wanted: Any, found: Any, *fields: str) -> list[Difference]:
    """What an operator may have set on purpose."""
    return [
        Difference(kind, name, field, str(want), str(have), "keep")
        for field in fields
        if (want := getattr(wanted, field) or 0) != (have := getattr(found, field) or 0)
    ]
