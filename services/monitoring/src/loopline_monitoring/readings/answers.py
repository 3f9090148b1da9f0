"""Signals of answer_finished."""

from loopline.generation.v1.events_pb2 import AnswerFinished, Outcome, Versions
from loopline_monitoring.model import Observed, Value
from loopline_monitoring.readings.language import language
from loopline_monitoring.readings.times import happened
from loopline_monitoring.readings.words import readable, refuses, repetition, words
from loopline_nats.envelope import Delivery

# Conversations of ours: questions that are asked again and again are no traffic.
CANARY = "canary-"


def of_answer(fact: AnswerFinished, delivery: Delivery) -> Observed | None:
    """One observation; a cancelled answer tells only that it was, one made for an evaluation run nothing: nobody asked it."""
    if fact.run_id:
        return None
    values: dict[str, Value] = {}
    ours = fact.conversation_id.startswith(CANARY)
    if not ours:
        values["answer.outcome"] = Outcome.Name(fact.outcome).removeprefix("OUTCOME_").lower()
        values["answer.failed"] = float(fact.outcome == Outcome.OUTCOME_FAILED)
        if fact.outcome == Outcome.OUTCOME_COMPLETED:
            values |= _completed(fact)
    return Observed(
        id=delivery.id,
        tenant=delivery.tenant,
        collection="+".join(sorted(fact.collections)),
        at=happened(fact.started_at if fact.HasField("started_at") else None, delivery),
        told_at=delivery.time.timestamp(),
        about=fact.answer_id,
        values=values,
        slices=_slices(fact),
        versions=versions_of(fact.versions),
        question=fact.question if readable(fact.question) else "",
        revisions=_revisions(fact),
        canary_given=ours,
    )


def _completed(fact: AnswerFinished) -> dict[str, Value]:
    verdicts, timings, usage = fact.verdicts, fact.timings, fact.usage
    values: dict[str, Value] = {
        "answer.abstained": float(verdicts.abstained),
        "answer.answerability": verdicts.answerability,
        "answer.total_ms": timings.total_ms,
    }
    if usage.HasField("cost"):
        values["answer.cost"] = usage.cost
    if verdicts.abstained:
        return values
    values["answer.cited"] = float(bool(fact.citations))
    values["answer.one_document"] = float(len({citation.document_id for citation in fact.citations}) == 1)
    if verdicts.sentences:
        values["answer.supported"] = verdicts.supported / verdicts.sentences
    if timings.first_token_ms:
        values["answer.first_token_ms"] = timings.first_token_ms
    if usage.completion_tokens:
        values["answer.tokens"] = float(usage.completion_tokens)
        values["answer.ms_per_token"] = max(0.0, timings.total_ms - timings.search_ms) / usage.completion_tokens
    if readable(fact.text):
        found = words(fact.text)
        values["answer.length"] = float(len(found))
        values["answer.repetition"] = repetition(found)
        values["answer.refused"] = float(refuses(fact.text))
        asked, answered = language(fact.question) if readable(fact.question) else "", language(fact.text)
        if asked and answered:
            values["answer.language_switch"] = float(asked != answered)
    return values


def _revisions(fact: AnswerFinished) -> tuple[int, ...]:
    """Of the documents cited."""
    cited = {citation.chunk_id for citation in fact.citations}
    return tuple(sorted(passage.revision for passage in fact.passages if passage.chunk_id in cited))


def _slices(fact: AnswerFinished) -> tuple[str, ...]:
    made = fact.versions
    groups = {"engine": made.engine, "model": made.model, "prompt": f"{made.prompt}.{made.prompt_version}".strip(".")}
    return tuple(f"{name}={value}" for name, value in groups.items() if value)


def versions_of(made: Versions) -> dict[str, str]:
    """What made an answer, by kind; what is not known is left out."""
    found = {
        "prompt": f"{made.prompt}.{made.prompt_version}@{made.prompt_hash}" if made.prompt_hash else "",
        "model": f"{made.model}@{made.model_revision}".rstrip("@"),
        "engine": made.engine,
        "index": ", ".join(made.indexes),
        "policy": made.policy,
    }
    return {what: value for what, value in found.items() if value}
