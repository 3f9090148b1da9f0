"""Who may do what on the bus, derived from the event map. The server's own wildcards match whole tokens only, so nothing here
relies on a prefix: a durable is named, or it is denied by name.
"""

from dataclasses import dataclass

from loopline_contracts.channels import CHANNELS, DEAD_LETTER, DURABLES, READERS
from loopline_contracts.streams import CANARY, Bucket

API, ACK = "$JS.API", "$JS.ACK"
SERVICES = tuple(
    sorted({c.owner for c in CHANNELS} | {d.hearer for d in DURABLES} | {reader.hearer for reader in READERS})
)


@dataclass(frozen=True)
class Permissions:
    """Subjects. What is not allowed is refused; `never_publish` wins over `publish`."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    never_publish: tuple[str, ...] = ()


def inbox_of(user: str) -> str:
    """Answers come here, and nobody else may listen."""
    return f"_INBOX.{user}"


OPERATOR = Permissions((">",), (">",))


def of_service(service: str) -> Permissions:
    """Its own facts, its places in the streams it reads, its buckets.

    JetStream's questions about a stream are allowed as a whole (rebuilding and looking up need most of them), except
    another's durable, which it can neither read, acknowledge, rewrite nor remove.
    """
    mine = [durable for durable in DURABLES if durable.hearer == service]
    said = [channel for channel in CHANNELS if channel.owner == service]
    replays = [durable.replay_subject for durable in mine]
    own = [channel.subject for channel in said] + [f"{DEAD_LETTER}.{durable.name}" for durable in mine] + replays
    reads = {durable.stream for durable in mine} | {reader.stream for reader in READERS if reader.hearer == service}
    written = [bucket for bucket in Bucket if _writes(service, bucket)]
    kept = [_store(bucket) for bucket in (*READ_BY_ALL, *written)]
    streams = [*sorted({*reads, *(channel.stream for channel in said), *READ_BESIDES.get(service, ())}), *kept]
    others = [durable for durable in DURABLES if durable.hearer != service and durable.stream in streams]
    return Permissions(
        publish=(
            *(f"{subject}.>" for subject in own),
            f"{CANARY}.{service}",
            *(f"{'$O' if bucket in OBJECTS else '$KV'}.{bucket}.>" for bucket in written),
            f"{API}.INFO",
            f"{API}.STREAM.NAMES",
            f"{API}.STREAM.INFO.*",
            *(f"{API}.{question}.{stream}{rest}" for stream in streams for question, rest in QUESTIONS),
            *(f"{API}.STREAM.{act}.{stream}" for stream in map(_store, written) for act in ("PURGE", "MSG.DELETE")),
            *(f"{API}.STREAM.MSG.DELETE.{channel.stream}" for channel in said),
            *(f"{ACK}.{stream}.>" for stream in streams),
            "$JS.FC.>",
        ),
        subscribe=(f"{inbox_of(service)}.>",),
        never_publish=tuple(subject for other in others for subject in _place(other.stream, other.name)),
    )


def of_subscriber(user: str, consumer: str, streams: tuple[str, ...]) -> Permissions:
    """A downstream team: pulls and acknowledges its own named consumers, and nothing else."""
    return Permissions(
        publish=tuple(
            subject
            for stream in streams
            for subject in (
                f"{API}.CONSUMER.MSG.NEXT.{stream}.{consumer}",
                f"{API}.CONSUMER.INFO.{stream}.{consumer}",
                f"{ACK}.{stream}.{consumer}.>",
            )
        ),
        subscribe=(f"{inbox_of(user)}.>",),
    )


def _writes(service: str, bucket: Bucket) -> bool:
    """A bucket is called after its owner, but for the few that were named before there was a rule."""
    return bucket in WRITTEN_BY_ALL or OBJECTS.get(bucket) == service or bucket.startswith(f"{service.upper()}_")


def _store(bucket: Bucket) -> str:
    return f"{'OBJ' if bucket in OBJECTS else 'KV'}_{bucket}"


def _place(stream: str, durable: str) -> tuple[str, ...]:
    """All that touches a consumer by its name."""
    return (
        f"{API}.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"{API}.CONSUMER.CREATE.{stream}.{durable}",
        f"{API}.CONSUMER.CREATE.{stream}.{durable}.>",
        f"{API}.CONSUMER.DURABLE.CREATE.{stream}.{durable}",
        f"{API}.CONSUMER.DELETE.{stream}.{durable}",
        f"{API}.CONSUMER.PAUSE.{stream}.{durable}",
        f"{API}.CONSUMER.UNPIN.{stream}.{durable}",
        f"{ACK}.{stream}.{durable}.>",
    )


# What a service may ask of a stream it reads: by subject, by sequence, through consumers it makes for a while.
QUESTIONS = (
    ("STREAM.MSG.GET", ""),
    ("DIRECT.GET", ""),
    ("DIRECT.GET", ".>"),
    ("CONSUMER.*", ""),
    ("CONSUMER.*", ".>"),
    ("CONSUMER.MSG.NEXT", ".*"),
)
# Ingestion rebuilds its ledger and watches each step of a document's way.
READ_BESIDES = {"ingestion": ("DEAD_LETTER", "INGESTION_BATCHES", "EMBEDDING_BATCHES", "RETRIEVAL")}
OBJECTS = {Bucket.UPLOADS: "ingestion"}
READ_BY_ALL = (Bucket.ACCESS, Bucket.TENANTS)
WRITTEN_BY_ALL = (Bucket.ATTEMPTS,)
