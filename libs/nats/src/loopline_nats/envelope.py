"""What a fact looks like on the bus: CloudEvents in binary mode, protobuf body."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from google.protobuf.message import Message
from nats.aio.msg import Msg
from opentelemetry import propagate

from loopline_contracts.channels import CHANNEL_BY_NAME, CHANNEL_BY_SUBJECT, Channel

E_co = TypeVar("E_co", bound=Message, covariant=True)

CONTENT_TYPE = "application/protobuf"
REVISION = "loopline-revision"
REPLAY = "loopline-replay"


@dataclass(frozen=True, slots=True)
class Fact(Generic[E_co]):
    """Something that happened, ready to be said. `id` is derived from the work, so a repeat has the same one."""

    channel: Channel[E_co]
    body: E_co
    id: str
    tenant: str
    document: str = ""

    @property
    def subject(self) -> str:
        """Where it is said."""
        return self.channel.of(self.tenant, self.document)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a fact came. `revision` orders changes of a document: the sequence of the first saying, also on a replay."""

    id: str
    tenant: str
    document: str
    event: str
    subject: str
    sequence: int
    revision: int
    time: datetime
    deliveries: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def correlation(self) -> str:
        """The id shared by all facts that follow from one beginning."""
        return self.headers.get("ce-correlationid", self.id)

    @property
    def replay_suffix(self) -> str:
        """What sets the ids apart of facts said because of a replay: empty, or `/replay/<n>`."""
        number = self.headers.get(REPLAY, "")
        return f"/replay/{number}" if number else ""


# The delivery being handled: what is said meanwhile was caused by it.
handling: ContextVar[Delivery | None] = ContextVar("handling", default=None)


def headers_of(fact: Fact[Message], source: str) -> dict[str, str]:
    """The headers a fact is published with: CloudEvents 1.0 attributes, trace context, the id that drops repeats."""
    cause = handling.get()
    headers = {
        "ce-specversion": "1.0",
        "ce-id": fact.id,
        "ce-source": f"/loopline/{source}",
        "ce-type": fact.body.DESCRIPTOR.full_name,
        "ce-time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "ce-subject": fact.document or fact.id.split("/", 1)[0],
        "ce-tenantid": fact.tenant,
        "ce-correlationid": cause.correlation if cause else fact.id,
        "content-type": CONTENT_TYPE,
        "Nats-Msg-Id": fact.id,
    }
    if cause:
        headers["ce-causationid"] = cause.id
    propagate.inject(headers)
    return headers


def address(subject: str) -> tuple[str, str, str]:
    """Event name, tenant and document (or "") of a subject: of a fact, a replay or a dead letter."""
    # loopline.<owner>.<version>.<event>... , loopline.replay.<durable>.<event>... and loopline.dead_letter.<durable>.<event>...
    event, tenant, *document = subject.split(".")[3:]
    return event, tenant, document[0] if document else ""


def delivery_of(subject: str, headers: Mapping[str, str], sequence: int, time: datetime, deliveries: int) -> Delivery:
    """Reads what came with a message; a missing header never fails (anybody may publish anything)."""
    event, tenant, document = address(subject)
    revision = headers.get(REVISION, "")
    return Delivery(
        id=headers.get("ce-id", ""),
        tenant=tenant,
        document=document,
        event=event,
        subject=subject,
        sequence=sequence,
        revision=int(revision) if revision.isdigit() else sequence,
        time=time,
        deliveries=deliveries,
        headers=headers,
    )


def received(msg: Msg) -> Delivery:
    """The delivery of a message that a consumer was given."""
    metadata = msg.metadata
    return delivery_of(
        msg.subject, msg.headers or {}, metadata.sequence.stream, metadata.timestamp, metadata.num_delivered
    )


def channel_of(subject: str) -> Channel[Message] | None:
    """Which kind of fact a subject carries; None when it is none of ours."""
    tokens = subject.split(".")
    if len(tokens) < 5:
        return None
    return CHANNEL_BY_SUBJECT.get(".".join(tokens[:4])) or CHANNEL_BY_NAME.get(tokens[3])
