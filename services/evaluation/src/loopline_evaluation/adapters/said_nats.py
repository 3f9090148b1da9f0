"""Opinions on answers as the bus holds them."""

from collections.abc import Sequence

from nats.aio.msg import Msg

from loopline.evaluation.v1.events_pb2 import FeedbackGiven
from loopline_contracts.channels import FEEDBACK_GIVEN
from loopline_nats.codec import decode
from loopline_nats.erasing import erase
from loopline_nats.line import Line
from loopline_runtime.errors import Invalid


class SaidNats:
    """The port `Said`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def erase(self, tenant: str, answer_ids: Sequence[str]) -> int:
        """See the port."""
        wanted = frozenset(answer_ids)

        def which(message: Msg) -> bool:
            try:
                said = decode(message.subject, message.data)
            except Invalid:
                return False
            if not isinstance(said, FeedbackGiven) or said.answer_id not in wanted:
                return False
            return bool(said.feedback.correction or said.feedback.comment)

        return await erase(self._line, FEEDBACK_GIVEN.stream, [FEEDBACK_GIVEN.of(tenant)], which) if wanted else 0
