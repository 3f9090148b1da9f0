"""Answers to people, labels back, and how far people agree."""

from collections.abc import Sequence
from itertools import combinations

from loopline_evaluation.annotation.model import Agreement, Figure, Item, Label, Pair, Queue, checked
from loopline_evaluation.annotation.ports import Annotations
from loopline_evaluation.app.sampling import place_of
from loopline_evaluation.model import Kept
from loopline_evaluation.ports import Answers
from loopline_runtime.errors import Invalid, NotFound
from loopline_statistics import Estimate, cohen_kappa, krippendorff_alpha

LEASE_S, LEAST_LEASE_S, MOST_LEASE_S = 600.0, 10.0, 3600.0
MOST_NOTE, MOST_ANNOTATOR = 4096, 128


class Annotating:
    """What people do."""

    def __init__(self, annotations: Annotations, answers: Answers) -> None:
        self._annotations = annotations
        self._answers = answers

    async def put_queue(self, tenant: str, queue: Queue) -> None:
        """Makes or changes a queue. Invalid."""
        await self._annotations.put_queue(tenant, checked(queue))

    async def consider(self, kept: Kept) -> None:
        """Puts an answer that was scored, judged or rated into the queues whose rules want it."""
        answer = kept.answer
        if not answer.readable or kept.judging.why == "NOT_COMPLETED":
            return
        for queue in await self._annotations.queues(answer.tenant):
            if why := queue.why(kept, place_of(f"{queue.name}/{answer.answer_id}")):
                await self._annotations.add(answer.tenant, queue.name, answer.answer_id, why)

    async def claim(
        self, tenant: str, name: str, annotator: str, lease_s: float = 0.0, leave_out: Sequence[str] = ()
    ) -> tuple[Item, Kept] | None:
        """An answer to label. NotFound, Invalid."""
        queue = await self.queue(tenant, name)
        lease_s = lease_s or LEASE_S
        if not LEAST_LEASE_S <= lease_s <= MOST_LEASE_S:
            raise Invalid(f"a lease is {LEAST_LEASE_S:g} to {MOST_LEASE_S:g} s", field="lease_s")
        if not 1 <= len(annotator) <= MOST_ANNOTATOR:
            raise Invalid(f"an annotator has 1 to {MOST_ANNOTATOR} characters", field="annotator")
        while item := await self._annotations.claim(tenant, queue, annotator, lease_s, leave_out):
            if found := await self._answers.get(tenant, [item.answer_id]):
                return item, found[0]
            # Its time was over, or it was erased.
            await self._annotations.label(tenant, name, Label(item.answer_id, annotator, GONE))
        return None

    async def label(self, tenant: str, name: str, label: Label) -> None:
        """Keeps a label. Invalid, NotFound."""
        queue = await self.queue(tenant, name)
        if label.label not in queue.labels:
            raise Invalid(f"{label.label!r} is no label of {name}: {', '.join(queue.labels)}", field="label")
        if len(label.note) > MOST_NOTE:
            raise Invalid(f"a note has at most {MOST_NOTE} characters", field="note")
        if not await self._annotations.label(tenant, name, label):
            raise NotFound(f"this answer is not in the queue {name}", reason="UNKNOWN_ITEM", field="answer_id")

    async def agreement(self, tenant: str, name: str) -> Agreement:
        """How far people agree on a queue."""
        queue = await self.queue(tenant, name)
        labels = [one for one in await self._annotations.labels(tenant, name) if one.label in queue.labels]
        return agreement(queue, labels)

    async def queue(self, tenant: str, name: str) -> Queue:
        """One. NotFound."""
        for queue in await self._annotations.queues(tenant):
            if queue.name == name:
                return queue
        raise NotFound(f"there is no queue {name!r}", reason="UNKNOWN_QUEUE", field="queue")


# In place of a label, when the answer is not there any more.
GONE = "(gone)"


def agreement(queue: Queue, labels: list[Label]) -> Agreement:
    """Cohen's kappa of each pair of people, Krippendorff's alpha of all: ordinal where there are more than two labels."""
    given: dict[str, dict[str, str]] = {}
    for one in labels:
        given.setdefault(one.annotator, {})[one.answer_id] = one.label
    people = sorted(given)
    answers = sorted({one.answer_id for one in labels})
    pairs = []
    for first, second in combinations(people, 2):
        both = sorted(given[first].keys() & given[second].keys())
        kappa = cohen_kappa(
            [given[first][one] for one in both],
            [given[second][one] for one in both],
            order=queue.labels,
            weights="linear" if len(queue.labels) > 2 else "none",
        )
        pairs.append(Pair(first, second, len(both), figure(kappa)))
    places = {label: float(place) for place, label in enumerate(queue.labels)}
    ratings = [[places[given[who][one]] if one in given[who] else None for who in people] for one in answers]
    alpha = krippendorff_alpha(ratings, scale="ordinal" if len(queue.labels) > 2 else "nominal")
    return Agreement(tuple(pairs), figure(alpha), len(answers))


def figure(estimate: Estimate | None) -> Figure | None:
    """Of the statistics library."""
    return Figure(estimate.value, estimate.low, estimate.high) if estimate else None
