"""The event sides of all services in one process, over a real nats-server: what no service can show alone."""

import asyncio
import os

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopline_contracts.channels import CHANNELS
from loopline_ingestion.model import State
from loopline_nats.dead_letters import DeadLetters
from loopline_nats.line import Line
from loopline_runtime.errors import Invalid

tracer = trace.get_tracer("test")


async def test_random_bytes_on_every_subject_harm_nothing_and_are_kept(whole, line: Line):
    for channel in CHANNELS:
        for _ in range(3):
            await line.publish(channel.of("acme", "f" * 32), b"\xff" + os.urandom(64), {}, stream=channel.stream)
    settled = await whole.settled(await whole.submit("good.txt", b"one line\nanother line"))
    assert (settled.state, settled.chunk_count) == (State.INDEXED, 2)
    heard = 3 * (1 + 6 + 1 + 1 + 1 + 1 + 4)  # by extract, ledger, build, progress, embed, index, documents
    letters = []
    async with asyncio.timeout(20):
        while len(letters) < heard:
            letters = [letter async for letter in DeadLetters(line).list()]
            await asyncio.sleep(0.1)
    assert {letter.reason for letter in letters} == {"UNREADABLE"}
    assert all(letter.body is None for letter in letters)


async def test_a_refused_document_is_told_with_its_reason(whole):
    settled = await whole.settled(await whole.submit("bad.txt", b"refuse"))
    assert (settled.state, settled.reasons[0].code) == (State.REJECTED, "NO_TEXT")


async def test_a_buried_batch_fails_its_document_until_it_is_replayed(whole, line: Line):
    whole.embedder.fails = Invalid("the model cannot read this", reason="UNREADABLE_TEXT")
    failed = await whole.settled(await whole.submit("hard.txt", b"a line"))
    assert failed.state is State.FAILED
    assert failed.reasons[0].code == "UNREADABLE_TEXT"
    assert "embedding-embed" in failed.reasons[0].text
    whole.embedder.fails = None
    (letter,) = [letter async for letter in DeadLetters(line).list()]
    assert (letter.durable, letter.document) == ("embedding-embed", failed.document_id)
    await DeadLetters(line).replay(letter.sequence)
    async with asyncio.timeout(10):
        while (await whole.documents.get("acme", failed.document_id)).state is not State.INDEXED:
            await asyncio.sleep(0.05)
    assert [letter async for letter in DeadLetters(line).list()] == []


async def test_one_trace_leads_from_the_upload_to_the_index(whole):
    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with tracer.start_as_current_span("upload") as upload:
        document = await whole.submit("traced.txt", b"a line")
    await whole.settled(document)
    ours = [
        span for span in exporter.get_finished_spans() if span.context.trace_id == upload.get_span_context().trace_id
    ]
    edges = {span.name for span in ours}
    for step in (
        "publish document_accepted",
        "process ingestion-extract",
        "process embedding-embed",
        "process retrieval-index",
    ):
        assert step in edges
    names = {span.context.span_id: span.name for span in ours}
    parents = {span.name: names.get(span.parent.span_id) for span in ours if span.parent}
    assert parents["process embedding-embed"] == "publish document_chunked"
    assert parents["process retrieval-index"] == "publish chunks_embedded"
    assert parents["process ingestion-progress"] == "publish chunks_indexed"
