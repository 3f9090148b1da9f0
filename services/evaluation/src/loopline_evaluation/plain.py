"""Announcements and scores as messages, as JSON, and as the core sees them: the one place that knows all shapes."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from loopline.evaluation.v1 import events_pb2 as events
from loopline.generation.v1 import events_pb2 as generation
from loopline_evaluation.model import (
    Answer,
    Cost,
    Evaluator,
    Evidence,
    Feedback,
    Given,
    Missing,
    Outcome,
    Passage,
    Scale,
    Score,
    Thumb,
    Verdict,
)

HASHED = "sha256:"
OUTCOMES = {generation.Outcome.Value(f"OUTCOME_{outcome.name}"): outcome for outcome in Outcome}
_VERDICTS = {verdict: events.Verdict.Value(f"VERDICT_{verdict.name}") for verdict in Verdict}

THUMBS = {thumb: events.Thumb.Value(f"THUMB_{thumb.name}") for thumb in Thumb}


def answer(fact: generation.AnswerFinished, tenant: str) -> Answer:
    """What the core needs of an announced answer."""
    return Answer(
        answer_id=fact.answer_id,
        tenant=tenant,
        question=fact.question,
        text=fact.text,
        passages=tuple(
            Passage(
                one.chunk_id, one.document_id, one.text, one.scores.cosine, one.scores.fused, one.source, one.revision
            )
            for one in fact.passages
        ),
        collections=tuple(fact.collections),
        outcome=OUTCOMES.get(fact.outcome, Outcome.FAILED),
        versions=versions(fact.versions),
        abstained=fact.verdicts.abstained,
        answerability=fact.verdicts.answerability,
        total_ms=fact.timings.total_ms,
        started_at=fact.started_at.ToDatetime(UTC).timestamp(),
        readable=_readable(fact),
    )


def _readable(fact: generation.AnswerFinished) -> bool:
    """Whether its words are there: not where a tenant's events carry none, nor where a document it quotes was erased."""
    return bool(fact.question) and not fact.question.startswith(HASHED) and all(one.text for one in fact.passages)


def scrubbed(fact: generation.AnswerFinished) -> generation.AnswerFinished:
    """Without any words that an erased document may have lent it."""
    made = generation.AnswerFinished()
    made.CopyFrom(fact)
    for name in ("text", "prompt", "citations"):
        made.ClearField(name)
    for passage in made.passages:
        passage.text = passage.title = passage.source = ""
        passage.metadata.clear()
        passage.ClearField("place")
    return made


def versions(made: generation.Versions) -> tuple[str, ...]:
    """Names of all that made an answer, as one may look for them."""
    prompt = f"{made.prompt}.{made.prompt_version}" if made.prompt else ""
    return tuple(filter(None, (made.engine, made.model, prompt, *made.indexes, made.embedding_model, made.policy)))


def score(made: Score) -> events.Score:
    """A score as it is announced and answered."""
    missing = made.missing or Missing("")
    return events.Score(
        metric=made.metric,
        value=made.value,
        scale=events.Scale(**asdict(made.scale)),
        verdict=_VERDICTS[made.verdict] if made.verdict else events.VERDICT_UNSPECIFIED,
        evidence=[
            events.Evidence(
                sentence=one.sentence, passage=one.passage, document_id=one.document, note=one.note, value=one.value
            )
            for one in made.evidence
        ],
        evaluator=events.Evaluator(**asdict(made.evaluator)),
        missing_reason=missing.reason,
        missing_detail=missing.detail,
        cost=events.Cost(**asdict(made.cost)),
    )


def to_json(made: Score) -> dict[str, Any]:
    """A score as JSON can hold it."""
    return asdict(made)


def from_json(told: dict[str, Any]) -> Score:
    """A score from its JSON."""
    return Score(
        **{
            **told,
            "scale": Scale(**told["scale"]),
            "evaluator": Evaluator(**told["evaluator"]),
            "verdict": Verdict(told["verdict"]) if told["verdict"] else None,
            "evidence": tuple(Evidence(**one) for one in told["evidence"]),
            "missing": Missing(**told["missing"]) if told["missing"] else None,
            "cost": Cost(**told["cost"]),
        }
    )


def time(seconds: float) -> Timestamp:
    """Seconds since 1970 as a message."""
    made = Timestamp()
    made.FromDatetime(datetime.fromtimestamp(seconds, UTC))
    return made


def feedback(given: Feedback) -> events.Feedback:
    """An opinion as a message."""
    return events.Feedback(
        thumb=THUMBS[given.thumb] if given.thumb else events.THUMB_UNSPECIFIED,
        score=given.score,
        correction=given.correction,
        comment=given.comment,
        categories=given.categories,
        by=given.by,
    )


def feedback_given(fact: generation.AnswerFinished, given: Given) -> events.FeedbackGiven:
    """An opinion as it is announced, with what made the answer."""
    return events.FeedbackGiven(
        answer_id=fact.answer_id,
        feedback=feedback(given.feedback),
        collections=fact.collections,
        versions=fact.versions,
        given_at=time(given.at),
        revision=given.revision,
    )


def feedback_id(answer_id: str, given: Given) -> str:
    """The id of the fact: who, on which answer, for which time. People are not named in it."""
    who = sha256(given.feedback.by.encode()).hexdigest()[:16]
    return f"{answer_id}/feedback/{who}/{given.revision}"


def evaluated(fact: generation.AnswerFinished, scores: Sequence[Score]) -> events.AnswerEvaluated:
    """Scores as they are announced: evidence by its numbers, for its notes quote the answer, which no stream shall quote."""
    return events.AnswerEvaluated(
        answer_id=fact.answer_id,
        scores=[score(replace(one, evidence=tuple(replace(e, note="") for e in one.evidence))) for one in scores],
        collections=fact.collections,
        versions=fact.versions,
        started_at=fact.started_at,
    )
