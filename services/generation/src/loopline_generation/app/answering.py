"""The story of an answer: search, weigh, speak, check, end; told step by step, and ended in every case."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from loopline_generation.app.grounding import Evidence
from loopline_generation.app.policy import Policy
from loopline_generation.app.prompting import compressed, filled, recent, search_question, wanted, whole
from loopline_generation.app.sentences import Scored, preselected, scored, sentences_of
from loopline_generation.app.speaking import Checked, closest, marked, plain, quoted, strict, verbatim
from loopline_generation.limits import checked
from loopline_generation.model import (
    Ask,
    Engine,
    Finished,
    Grounding,
    Heartbeat,
    Message,
    Outcome,
    Passage,
    Record,
    Searched,
    Sources,
    Started,
    Step,
    Timings,
    Token,
    Verdicts,
    Versions,
)
from loopline_generation.ports import Announcer, Chat, Embedder, Prompt, Prompts, Records, Searcher
from loopline_runtime.errors import LooplineError, NotFound, Overloaded
from loopline_text import Lexical

__all__ = ["Answering", "Policy"]

LAST_WORDS_S = 2.0
SAVE_EVERY_S = 1.0
SHUTTING_DOWN = "SHUTTING_DOWN"


@dataclass(slots=True)
class _Draft:
    """One answer being given."""

    record: Record
    prompt: Prompt
    history: tuple[Message, ...]
    began: float
    checked: Checked = field(default_factory=Checked)
    said: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.said).strip()


class Answering:
    """Answers; needs no bus."""

    def __init__(
        self,
        searcher: Searcher,
        embedder: Embedder,
        chat: Chat,
        prompts: Prompts,
        records: Records,
        announcer: Announcer,
        policy: Policy,
    ) -> None:
        self._searcher = searcher
        self._embedder = embedder
        self._chat = chat
        self._prompts = prompts
        self._records = records
        self._announcer = announcer
        self._policy = policy
        self._in_flight = 0
        self._stopping = asyncio.Event()

    def stop_within(self, seconds: float) -> None:
        """Answers still being given then are ended as FAILED, with their Finished."""
        asyncio.get_running_loop().call_later(seconds, self._stopping.set)

    async def answer(self, ask: Ask, trace_id: str = "") -> AsyncGenerator[Step, None]:
        """Steps of an answer; the last one is Finished. Raises only before the first step."""
        ask = checked(ask)
        prompt = wanted(self._prompts, ask, self._policy.prompt)
        if self._in_flight >= self._policy.at_once:
            raise Overloaded(f"{self._in_flight} answers are being given", retry_after_s=1)
        self._in_flight += 1
        try:
            draft = await self._begun(ask, prompt, trace_id)
            yield Started(draft.record.answer_id, trace_id, draft.record.versions, ask.conversation_id)
            async with aclosing(self._told(ask, draft)) as steps:
                async for step in steps:
                    yield step
        finally:
            self._in_flight -= 1

    async def record(self, tenant: str, answer_id: str) -> Record:
        """An answer as far as it has come. NotFound after its retention, or when it is another tenant's."""
        found = await self._records.get(tenant, answer_id)
        if found is None:
            raise NotFound("there is no such answer (any more)", reason="UNKNOWN_ANSWER", field="answer_id")
        return found

    async def end_unfinished(self, before: float) -> int:
        """Answers begun before that time (seconds since 1970) and never ended are said FAILED, once: who gave them died."""
        unfinished = await self._records.unfinished(before)
        for record in unfinished:
            ended = replace(record, outcome=Outcome.FAILED, error="PROCESS_DIED: the process that gave it died")
            await self._announcer.finished(ended)
            await self._records.put(ended)
        return len(unfinished)

    async def _begun(self, ask: Ask, prompt: Prompt, trace_id: str) -> _Draft:
        engine = ask.engine or self._policy.engine
        versions = Versions(
            prompt=prompt.name,
            prompt_version=prompt.version,
            prompt_hash=prompt.hash,
            engine=engine.value,
            model=(ask.model or self._policy.model) if engine is Engine.CHAT else "",
            policy=replace(self._policy, grounding=self._grounding(ask)).name,
        )
        history: Sequence[Message] = ask.messages[:-1]
        if ask.conversation_id:
            history = [*await self._records.turns(ask.tenant, ask.conversation_id), *history]
        answer_id = uuid.uuid4().hex
        record = Record.begun(ask, answer_id, trace_id, time.time(), versions)
        await self._records.put(record)
        await self._announcer.started(record)
        kept = recent(history, self._policy.history_turns, self._policy.history_characters)
        return _Draft(record, prompt, kept, time.perf_counter())

    async def _told(self, ask: Ask, draft: _Draft) -> AsyncGenerator[Step, None]:
        """The steps of the work, heartbeats between them, and the end, whatever happens."""
        steps: asyncio.Queue[Step | None] = asyncio.Queue()
        work = asyncio.create_task(self._work(ask, draft, steps))
        beside = asyncio.create_task(self._save(draft)), asyncio.create_task(self._stop(steps))
        ended = False
        try:
            while True:
                step = await self._next(steps)
                if step is None:
                    break
                if isinstance(step, Token):
                    draft.said.append(step.text)
                yield step
            finished = self._ended(draft, *_outcome(work, self._stopping.is_set()))
            ended = True
            await _stopped(work, *beside)
            await self._kept(ask, draft)
            yield finished
        finally:
            if not ended:  # the caller left
                await _stopped(work, *beside)
                self._ended(draft, Outcome.CANCELLED, "")
                await asyncio.wait_for(asyncio.shield(self._kept(ask, draft)), LAST_WORDS_S)

    async def _next(self, steps: "asyncio.Queue[Step | None]") -> Step | None:
        """The next step, a heartbeat when there is none for long, None at the end or when we must stop."""
        try:
            async with asyncio.timeout(self._policy.heartbeat_s):
                return await steps.get()
        except TimeoutError:
            return Heartbeat()

    async def _stop(self, steps: "asyncio.Queue[Step | None]") -> None:
        await self._stopping.wait()
        steps.put_nowait(None)

    async def _work(self, ask: Ask, draft: _Draft, steps: "asyncio.Queue[Step | None]") -> None:
        try:
            async for step in self._steps(ask, draft):
                steps.put_nowait(step)
        finally:
            steps.put_nowait(None)

    async def _steps(self, ask: Ask, draft: _Draft) -> AsyncIterator[Step]:
        began = time.perf_counter()
        looked_for = search_question(ask.question, draft.history)
        searched = await self._searcher.search(ask, looked_for, ask.k or self._policy.k)
        record, passages = draft.record, searched.passages
        timings = Timings(search_ms=_ms_since(began))
        versions = replace(record.versions, indexes=searched.indexes, embedding_model=searched.embedding_model)
        draft.record = replace(record, passages=passages, versions=versions, timings=timings)
        yield Sources(passages)
        best = await self._weighed(ask, looked_for, searched, draft)
        if not draft.record.verdicts.abstained:
            async for token in self._spoken(ask, draft, best):
                yield token
        else:
            yield Token(closest(passages))

    async def _weighed(self, ask: Ask, question: str, searched: Searched, draft: _Draft) -> list[Scored]:
        """The sentences by how well they bear on the question; decides whether retrieval is strong enough to answer."""
        grounding, engine = self._grounding(ask), ask.engine or self._policy.engine
        needed = engine is Engine.QUOTE or grounding is Grounding.STRICT or self._policy.sentences > 0
        verdicts = Verdicts(grounding=grounding)
        best: list[Scored] = []
        if needed and searched.passages:
            sentences = sentences_of(searched.passages)
            shares = Lexical([sentence.text for sentence in sentences]).shares(question)
            places = preselected(sentences, shares)
            texts = [question, *(sentences[place].text for place in places)]
            asked, *vectors = await self._embedder.embed(texts, searched.embedding_model, searched.embedding_revision)
            best = scored([sentences[p] for p in places], [shares[p] for p in places], asked, vectors)
        answerability = best[0].score if best else 0.0
        abstained = not searched.passages or (needed and answerability < self._policy.threshold)
        draft.record = replace(
            draft.record, verdicts=replace(verdicts, abstained=abstained, answerability=answerability)
        )
        return best

    async def _spoken(self, ask: Ask, draft: _Draft, best: list[Scored]) -> AsyncIterator[Token]:
        passages, found = draft.record.passages, draft.checked

        def quotes() -> list[str]:
            return quoted(best, self._policy.quotes, passages, found)

        if (ask.engine or self._policy.engine) is Engine.QUOTE:
            lines = quotes()
            found.sentences = found.supported = len(lines)
            for place, line in enumerate(lines):
                yield Token(line if place == 0 else f"\n{line}")
            return
        given = compressed(best, self._policy.sentences) if self._policy.sentences and best else whole(passages)
        messages = filled(draft.prompt, ask.question, given, draft.history)
        draft.record = replace(draft.record, prompt=messages)
        async with aclosing(self._deltas(ask, draft, messages)) as deltas:
            match self._grounding(ask):
                case Grounding.OFF if ask.sampling.bound:
                    tokens = verbatim(deltas)
                case Grounding.OFF:
                    tokens = plain(deltas, passages, found)
                case Grounding.MARK:
                    tokens = marked(deltas, passages, _evidence(passages, ask.question), found)
                case Grounding.STRICT:
                    evidence = _evidence(passages, ask.question)
                    tokens = strict(deltas, passages, evidence, found, quotes, self._policy.always_quote)
            async for token in tokens:
                yield token

    async def _deltas(self, ask: Ask, draft: _Draft, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """The model's words; the time of the first, and what they cost, are noted."""
        began, first = time.perf_counter(), True
        model = ask.model or self._policy.model
        stream = self._chat.stream(messages, model, self._policy.sampled(ask.sampling))
        async for delta in stream:
            if delta.served:
                draft.record = replace(draft.record, versions=delta.served.noted_in(draft.record.versions))
            if delta.usage:
                draft.record = replace(draft.record, usage=self._policy.priced(delta.usage))
            if delta.text:
                if first:
                    first = False
                    timings = replace(draft.record.timings, first_token_ms=_ms_since(began))
                    draft.record = replace(draft.record, timings=timings)
                yield delta.text

    def _ended(self, draft: _Draft, outcome: Outcome, error: str) -> Finished:
        found, record = draft.checked, draft.record
        verdicts = replace(
            record.verdicts,
            sentences=found.sentences,
            supported=found.supported,
            replaced=found.replaced,
            invalid_citations=tuple(found.invalid),
        )
        draft.record = record = replace(
            record,
            outcome=outcome,
            text=draft.text,
            citations=tuple(found.citations),
            verdicts=verdicts,
            timings=replace(record.timings, total_ms=_ms_since(draft.began)),
            error=error,
        )
        return Finished(
            outcome,
            record.text,
            record.usage,
            record.timings,
            verdicts,
            record.citations,
            record.versions,
            error,
        )

    async def _kept(self, ask: Ask, draft: _Draft) -> None:
        """The end is kept and said; a completed turn joins its conversation."""
        # What it quotes may have been erased while it was given.
        record = await self._records.cleaned(draft.record)
        await self._announcer.finished(record)
        await self._records.put(record)
        if ask.conversation_id and record.outcome is Outcome.COMPLETED and not record.error:
            turns = (Message("user", ask.question), Message("assistant", record.text))
            await self._records.add_turns(ask.tenant, ask.conversation_id, turns, time.time())

    async def _save(self, draft: _Draft) -> None:
        """What was said so far, for those who lost the connection."""
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            await self._records.put(replace(draft.record, text=draft.text))

    def _grounding(self, ask: Ask) -> Grounding:
        """What is bound to a schema or a grammar is passed on word for word."""
        return Grounding.OFF if ask.sampling.bound else ask.grounding or self._policy.grounding


def _outcome(work: "asyncio.Task[None]", stopping: bool) -> tuple[Outcome, str]:
    """How the work ended, and the reason with a sentence when it failed."""
    if stopping and not work.done():
        return Outcome.FAILED, f"{SHUTTING_DOWN}: the service is being stopped; ask again"
    error = work.exception() if work.done() else None
    if error is None:
        return Outcome.COMPLETED, ""
    if isinstance(error, LooplineError):
        return Outcome.FAILED, f"{error.reason}: {error}"
    raise error


async def _stopped(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _evidence(passages: Sequence[Passage], question: str) -> Evidence:
    return Evidence(sentences_of(passages), question)


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
