"""What the bus holds of answers: their facts, replays of these, and dead letters of those who hear them."""

from collections.abc import Iterator, Sequence

from nats.aio.msg import Msg

from loopline.generation.v1.events_pb2 import AnswerFinished, AnswerStarted
from loopline_contracts.channels import ANSWER_FINISHED, ANSWER_STARTED, DEAD_LETTER, DEAD_LETTER_STREAM, DURABLES
from loopline_generation.model import Order
from loopline_nats.codec import decode
from loopline_nats.erasing import Which, count, erase
from loopline_nats.line import Line
from loopline_runtime.errors import Invalid

SAID = (ANSWER_STARTED, ANSWER_FINISHED)


class FactsNats:
    """The port `Facts`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def erase(self, order: Order, answers: Sequence[str]) -> list[tuple[str, str, int]]:
        """See the port."""
        which = _which(order, frozenset(answers))
        return [
            (what, f"stream {stream}", await erase(self._line, stream, subjects, which))
            for what, stream, subjects in _places(order.tenant)
        ]

    async def left(self, order: Order, answers: Sequence[str]) -> int:
        """See the port."""
        which = _which(order, frozenset(answers))
        counts = [await count(self._line, stream, subjects, which) for _, stream, subjects in _places(order.tenant)]
        return sum(counts)


def _places(tenant: str) -> Iterator[tuple[str, str, list[str]]]:
    """What, stream and subjects."""
    hearing = [durable for durable in DURABLES if durable.stream == ANSWER_FINISHED.stream]
    replays = [f"{d.replay_subject}.{c.name}.{tenant}" for d in hearing for c in d.hears if c in SAID]
    yield "facts", ANSWER_FINISHED.stream, [*(channel.of(tenant) for channel in SAID), *replays]
    buried = [f"{DEAD_LETTER}.*.{channel.name}.{tenant}" for channel in SAID]
    yield "dead_letters", DEAD_LETTER_STREAM, buried


def _which(order: Order, answers: frozenset[str]) -> Which:
    def which(message: Msg) -> bool:
        try:
            event = decode(message.subject, message.data)
        except Invalid:
            return False
        if isinstance(event, AnswerStarted):
            return event.answer_id in answers
        return isinstance(event, AnswerFinished) and (
            event.answer_id in answers
            or any(p.document_id == order.document and p.revision <= order.revision for p in event.passages)
        )

    return which
