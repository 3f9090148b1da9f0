"""What people say of answers: checked, kept, said; a thumb down sends the answer to the judge."""

import time
from collections.abc import Callable

from loopline_evaluation.model import Feedback, Given, Judging, Stage, Thumb, Why
from loopline_evaluation.ports import Answers, Attention
from loopline_runtime.errors import Invalid, NotFound

MOST_CATEGORIES, MOST_CATEGORY, MOST_BY, MOST_TEXT = 16, 64, 128, 8192


class Feedbacks:
    """Opinions in."""

    def __init__(
        self,
        answers: Answers,
        attention: Attention | None = None,
        *,
        judge: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._answers = answers
        self._attention = attention
        self._judge = judge
        self._now = now

    async def submit(self, tenant: str, answer_id: str, feedback: Feedback) -> Given:
        """The opinion as it is kept by now, and will be said. The same again changes nothing. Invalid, NotFound."""
        _check(feedback)
        given = await self._answers.give(tenant, answer_id, feedback, self._now())
        if given is None:
            raise NotFound(
                "there is no such answer here (yet): it can be rated once it has ended",
                reason="UNKNOWN_ANSWER",
                field="answer_id",
            )
        if feedback.thumb is Thumb.DOWN and self._judge:
            await self._answers.want_judged(tenant, answer_id, Judging(Stage.WAITING, Why.THUMBS_DOWN))
        if self._attention:
            for kept in await self._answers.get(tenant, [answer_id]):
                await self._attention.consider(kept)
        return given


def _check(feedback: Feedback) -> None:
    said = (feedback.thumb, feedback.score is not None, feedback.correction, feedback.comment, feedback.categories)
    if not any(said):
        raise Invalid("say something: a thumb, a score, a correction, a comment or categories", field="feedback")
    if feedback.score is not None and not 0 <= feedback.score <= 1:
        raise Invalid(f"the score is {feedback.score}; it may be 0 to 1", field="feedback.score")
    if len(feedback.by) > MOST_BY:
        raise Invalid(f"`by` has at most {MOST_BY} characters", field="feedback.by")
    if len(feedback.correction) > MOST_TEXT or len(feedback.comment) > MOST_TEXT:
        raise Invalid(f"a correction or comment has at most {MOST_TEXT} characters", field="feedback.comment")
    if len(feedback.categories) > MOST_CATEGORIES or any(len(one) > MOST_CATEGORY for one in feedback.categories):
        told = f"at most {MOST_CATEGORIES} categories of at most {MOST_CATEGORY} characters"
        raise Invalid(told, field="feedback.categories")
