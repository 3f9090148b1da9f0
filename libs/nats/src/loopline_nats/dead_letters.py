"""What could not be finished: list, show, replay, discard."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import Message
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from loopline_contracts.channels import DEAD_LETTER_STREAM, DURABLES
from loopline_nats.codec import decode
from loopline_nats.envelope import REPLAY, REVISION
from loopline_nats.foreign import translated
from loopline_nats.line import Line
from loopline_runtime.errors import Invalid, NotFound, Rejected


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message as it came, and why it could not be finished. `body` is None when its bytes are unreadable."""

    sequence: int
    durable: str
    event: str
    tenant: str
    document: str
    reason: str
    error: str
    deliveries: int
    time: datetime
    event_id: str
    revision: int
    body: Message | None
    data: bytes


class DeadLetters:
    """The stream DEAD_LETTER as an operator sees it."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def list(self) -> AsyncIterator[DeadLetter]:
        """All of them, oldest first."""
        with translated("the dead letters"):
            state = (await self._line.jetstream.stream_info(DEAD_LETTER_STREAM)).state
        for sequence in range(max(1, state.first_seq), state.last_seq + 1):
            letter = await self._find(sequence)
            if letter:
                yield letter

    async def show(self, sequence: int) -> DeadLetter:
        """One of them. NotFound when there is none (any more)."""
        letter = await self._find(sequence)
        if letter is None:
            raise NotFound(f"no dead letter {sequence}")
        return letter

    async def replay(self, sequence: int) -> int:
        """Says it again to the one durable that failed, then removes the letter; returns the new sequence.

        Safe to repeat: the replay's id names the letter, so a second try within the duplicate window is dropped.
        """
        letter = await self.show(sequence)
        durable = next((d for d in DURABLES if d.name == letter.durable), None)
        if durable is None:
            raise Rejected(f"there is no durable {letter.durable} any more; discard the letter instead")
        found = await self._read(sequence)
        headers = {k: v for k, v in (found.headers or {}).items() if k.startswith(("ce-", "content-type", "trace"))}
        event_id = f"{letter.event_id}/replay/{sequence}"
        headers |= {
            "ce-id": event_id,
            "Nats-Msg-Id": f"{durable.name}/{event_id}",
            REVISION: str(letter.revision),
            REPLAY: str(sequence),
        }
        subject = ".".join(filter(None, (durable.replay_subject, letter.event, letter.tenant, letter.document)))
        said = await self._line.publish(subject, letter.data, headers, stream=durable.stream)
        await self.discard(sequence)
        return said

    async def discard(self, sequence: int) -> None:
        """Removes a letter for good."""
        with translated(f"dead letter {sequence}"):
            await self._line.jetstream.delete_msg(DEAD_LETTER_STREAM, sequence)

    async def _find(self, sequence: int) -> DeadLetter | None:
        try:
            found = await self._read(sequence)
        except NotFound:
            return None
        return _letter(found)

    async def _read(self, sequence: int) -> RawStreamMsg:
        with translated(f"dead letter {sequence}"):
            try:
                return await self._line.jetstream.get_msg(DEAD_LETTER_STREAM, sequence)
            except NotFoundError as error:
                raise NotFound(f"no dead letter {sequence}") from error


def _letter(found: RawStreamMsg) -> DeadLetter:
    headers, subject = found.headers or {}, found.subject or ""
    durable, event, tenant = subject.split(".")[2:5]
    try:
        body: Message | None = decode(subject, found.data or b"")
    except Invalid:
        body = None
    origin = headers.get("loopline-origin-subject", "").split(".")
    revision = headers.get(REVISION, "0")
    return DeadLetter(
        sequence=found.seq or 0,
        durable=durable,
        event=event,
        tenant=tenant,
        document=origin[5] if len(origin) > 5 else "",
        reason=headers.get("loopline-reason", ""),
        error=headers.get("loopline-error", ""),
        deliveries=int(headers.get("loopline-deliveries", "0")),
        time=found.time if isinstance(found.time, datetime) else datetime.now(UTC),
        event_id=headers.get("ce-id", "") or headers.get("Nats-Msg-Id", ""),
        revision=int(revision) if revision.isdigit() else 0,
        body=body,
        data=found.data or b"",
    )
