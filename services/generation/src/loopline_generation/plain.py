"""Records as JSON and back, and as messages: the one place that knows all three shapes."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from loopline.generation.v1 import events_pb2 as events
from loopline.generation.v1 import generation_service_pb2 as messages
from loopline.ingestion.v1 import events_pb2 as ingestion
from loopline.retrieval.v1 import retrieval_service_pb2 as retrieval
from loopline_generation.model import (
    Citation,
    Grounding,
    Message,
    Outcome,
    Passage,
    Place,
    Record,
    Timings,
    Usage,
    Verdicts,
    Versions,
)

Shown = Callable[[str], str]
OUTCOMES = {outcome: events.Outcome.Value(f"OUTCOME_{outcome.name}") for outcome in Outcome}
GROUNDINGS = {grounding: events.Grounding.Value(f"GROUNDING_{grounding.name}") for grounding in Grounding}


def to_json(record: Record) -> dict[str, Any]:
    """A record as JSON can hold it."""
    return asdict(record)


def from_json(plain: dict[str, Any]) -> Record:
    """A record from its JSON."""
    return Record(
        **{
            **plain,
            "collections": tuple(plain["collections"]),
            "versions": Versions(**{**plain["versions"], "indexes": tuple(plain["versions"]["indexes"])}),
            "outcome": Outcome(plain["outcome"]) if plain["outcome"] else None,
            "passages": tuple(_passage_from(passage) for passage in plain["passages"]),
            "citations": tuple(Citation(**citation) for citation in plain["citations"]),
            "usage": Usage(**plain["usage"]),
            "timings": Timings(**plain["timings"]),
            "verdicts": _verdicts_from(plain["verdicts"]),
            "prompt": tuple(Message(**message) for message in plain["prompt"]),
        }
    )


def _passage_from(plain: dict[str, Any]) -> Passage:
    place = plain["place"]
    return Passage(**{**plain, "place": Place(**{**place, "headings": tuple(place["headings"])})})


def _verdicts_from(plain: dict[str, Any]) -> Verdicts:
    invalid = tuple(plain["invalid_citations"])
    return Verdicts(**{**plain, "grounding": Grounding(plain["grounding"]), "invalid_citations": invalid})


def shown(record: Record, show: Shown) -> Record:
    """The record with as much content as may stand in events."""
    return replace(
        record,
        question=show(record.question),
        text=show(record.text),
        citations=tuple(replace(citation, quote=show(citation.quote)) for citation in record.citations),
        passages=tuple(replace(passage, text=show(passage.text)) for passage in record.passages),
        prompt=tuple(replace(message, content=show(message.content)) for message in record.prompt),
    )


def started(record: Record) -> events.AnswerStarted:
    """The fact that it was begun."""
    return events.AnswerStarted(
        answer_id=record.answer_id,
        collections=record.collections,
        question=record.question,
        versions=versions(record.versions),
        started_at=_time(record.started_at),
        conversation_id=record.conversation_id,
    )


def finished(record: Record) -> events.AnswerFinished:
    """The fact that it ended."""
    return events.AnswerFinished(
        answer_id=record.answer_id,
        outcome=OUTCOMES[record.outcome or Outcome.FAILED],
        collections=record.collections,
        question=record.question,
        text=record.text,
        citations=[citation(one) for one in record.citations],
        passages=[passage(one) for one in record.passages],
        versions=versions(record.versions),
        usage=usage(record.usage),
        timings=timings(record.timings),
        verdicts=verdicts(record.verdicts),
        started_at=_time(record.started_at),
        conversation_id=record.conversation_id,
        error=record.error,
        prompt=[events.Message(role=message.role, content=message.content) for message in record.prompt],
        trace_id=record.trace_id,
        run_id=record.run_id,
    )


def answer(record: Record) -> messages.GetAnswerResponse:
    """The answer as far as it has come."""
    return messages.GetAnswerResponse(
        answer_id=record.answer_id,
        outcome=OUTCOMES[record.outcome] if record.outcome else events.OUTCOME_UNSPECIFIED,
        question=record.question,
        text=record.text,
        citations=[citation(one) for one in record.citations],
        passages=[passage(one) for one in record.passages],
        versions=versions(record.versions),
        usage=usage(record.usage),
        timings=timings(record.timings),
        verdicts=verdicts(record.verdicts),
        error=record.error,
        trace_id=record.trace_id,
        conversation_id=record.conversation_id,
    )


def versions(made: Versions) -> events.Versions:
    """What made the answer."""
    return events.Versions(**asdict(made))


def usage(used: Usage) -> events.Usage:
    """What it cost."""
    return events.Usage(prompt_tokens=used.prompt_tokens, completion_tokens=used.completion_tokens, cost=used.cost)


def timings(taken: Timings) -> events.Timings:
    """How long it took."""
    return events.Timings(**asdict(taken))


def verdicts(found: Verdicts) -> events.Verdicts:
    """What was found."""
    return events.Verdicts(**{**asdict(found), "grounding": GROUNDINGS[found.grounding]})


def citation(made: Citation) -> events.Citation:
    """One [n]."""
    return events.Citation(number=made.number, chunk_id=made.chunk_id, document_id=made.document, quote=made.quote)


def passage(found: Passage) -> retrieval.Passage:
    """A passage with its scores."""
    place = found.place
    return retrieval.Passage(
        chunk_id=found.chunk_id,
        document_id=found.document,
        collection=found.collection,
        source=found.source,
        title=found.title,
        revision=found.revision,
        text=found.text,
        place=ingestion.Place(
            page=place.page, sheet=place.sheet, headings=place.headings, start=place.start, end=place.end
        ),
        metadata=found.metadata,
        scores=retrieval.Scores(fused=found.score, cosine=found.cosine, keyword=found.keyword),
    )


def _time(seconds: float) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(datetime.fromtimestamp(seconds, UTC))
    return made
