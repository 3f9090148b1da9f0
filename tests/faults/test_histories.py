"""Whatever happened in between, the last change of a document wins."""

import asyncio
import itertools

import pytest

from loopline.ingestion.v1.ingestion_service_pb2 import DeleteDocumentRequest, DocumentState, GetDocumentRequest
from loopline.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceStub
from loopline_contracts.channels import INGESTION_EXTRACT
from loopline_grpc.client import calling
from loopline_nats.line import open_line
from loopline_runtime.settings import Nats
from loopline_testing.line import LocalLine

COLLECTION = "histories"
A = b"# Tower\n\nThe tower of Alderwick is painted red and was finished in 1901.\n"
B = b"# Tower\n\nThe tower of Alderwick is painted blue and was restored in 1988.\n"
QUESTION = "What colour is the tower of Alderwick painted?"


async def delete(local: LocalLine, document_id: str) -> None:
    async with local.channel("ingestion") as channel, calling("ingestion"):
        await IngestionServiceStub(channel).DeleteDocument(DeleteDocumentRequest(document_id=document_id))


async def indexed(local: LocalLine, document_id: str, revision: int, within_s: float = 30) -> None:
    async with local.channel("ingestion") as channel, calling("ingestion"):
        stub = IngestionServiceStub(channel)
        for _ in range(int(within_s / 0.1)):
            document = (await stub.GetDocument(GetDocumentRequest(document_id=document_id))).document
            if document.state == DocumentState.DOCUMENT_STATE_INDEXED and document.revision >= revision:
                return
            await asyncio.sleep(0.1)
    raise AssertionError("not indexed in time")


async def texts(local: LocalLine, source: str) -> list[str]:
    passages = await local.search(QUESTION, COLLECTION, k=10)
    return [passage.text for passage in passages if passage.source == source]


@pytest.mark.timeout(400)
async def test_the_last_change_wins(local: LocalLine):
    await a_b_a(local)
    await deleted_and_submitted_again(local)
    await an_old_acceptance_replayed(local)
    await deleted_while_chunks_are_under_way(local)
    await replaced_without_a_gap(local)


async def a_b_a(local: LocalLine) -> None:
    for data in (A, B, A):
        said = await local.submit("aba.md", data, COLLECTION)
    await indexed(local, said.document_id, said.revision)
    (text,) = await texts(local, "aba.md")
    assert "red" in text


async def deleted_and_submitted_again(local: LocalLine) -> None:
    first = await local.submit("again.md", A, COLLECTION)
    await indexed(local, first.document_id, first.revision)
    await delete(local, first.document_id)
    second = await local.submit("again.md", A, COLLECTION)
    assert second.revision > first.revision
    await indexed(local, second.document_id, second.revision)
    assert len(await texts(local, "again.md")) == 1


async def an_old_acceptance_replayed(local: LocalLine) -> None:
    old = await local.submit("replayed.md", A, COLLECTION)
    await indexed(local, old.document_id, old.revision)
    new = await local.submit("replayed.md", B, COLLECTION)
    await indexed(local, new.document_id, new.revision)
    async with open_line(Nats(url=local.profile["nats_url"]), "operator") as line:
        heard = await line.at("INGESTION", old.revision)
        assert heard
        await line.replay(INGESTION_EXTRACT, heard, number=1)
    await asyncio.sleep(3)
    (text,) = await texts(local, "replayed.md")
    assert "blue" in text
    same = await local.submit("replayed.md", B, COLLECTION)
    assert (same.revision, same.unchanged) == (new.revision, True)


async def deleted_while_chunks_are_under_way(local: LocalLine) -> None:
    long = A + b"\n\n".join(f"Paragraph {n} about the tower and its {n} windows.".encode() * 20 for n in range(150))
    said = await local.submit("flight.md", long, COLLECTION)
    await asyncio.sleep(1.0)
    await delete(local, said.document_id)
    await asyncio.sleep(10)
    assert await texts(local, "flight.md") == []


async def replaced_without_a_gap(local: LocalLine) -> None:
    first = await local.submit("swap.md", A, COLLECTION)
    await indexed(local, first.document_id, first.revision)
    stop = asyncio.Event()
    polls: list[list[str]] = []

    async def poll() -> None:
        while not stop.is_set():
            polls.append(await texts(local, "swap.md"))
            await asyncio.sleep(0.05)

    polling = asyncio.create_task(poll())
    for data in itertools.islice(itertools.cycle((B, A)), 4):
        said = await local.submit("swap.md", data, COLLECTION)
        await indexed(local, said.document_id, said.revision)
    stop.set()
    await polling
    assert {len(found) for found in polls} == {1}
