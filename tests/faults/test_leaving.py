"""SIGTERM in the middle of an answer, and a dependency that is away."""

import asyncio

import pytest

from loopline_client import Finished, Loopline, Token
from loopline_runtime.errors import Unavailable
from loopline_testing.line import LocalLine

TEXT = (
    b"# Tower\n\nThe tower of Alderwick was built in 1871 by the engineer Ada Moreland, who also built four bridges.\n"
)


@pytest.mark.timeout(200)
async def test_what_is_under_way_ends_well_and_what_is_away_is_told(local_with_model: LocalLine):
    async with Loopline.local(local_with_model.home) as line:
        said = await line.submit("tower.md", TEXT, collection="tower")
        async for _ in line.watch([said.document_id]):
            pass
        await a_stop_in_mid_answer(local_with_model, line)
        await a_dependency_that_is_away(local_with_model, line)


async def a_stop_in_mid_answer(local: LocalLine, line: Loopline) -> None:
    stopping: asyncio.Task[object] | None = None
    last = None
    question = "Tell everything about the tower of Alderwick and Ada Moreland, the engineer."
    async for step in line.ask(question, collections=["tower"], grounding="off"):
        last = step
        if isinstance(step, Token) and stopping is None:
            stopping = asyncio.create_task(asyncio.to_thread(local.command, "stop", "generation"))
    assert isinstance(last, Finished)
    assert stopping
    await stopping
    await asyncio.to_thread(local.command, "start", "generation")


async def a_dependency_that_is_away(local: LocalLine, line: Loopline) -> None:
    await asyncio.to_thread(local.command, "stop", "embedding")
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await line.search("tower", collections=["tower"])
    assert asyncio.get_running_loop().time() - began < 31
    last = [step async for step in line.ask("Who built the tower?", collections=["tower"])][-1]
    assert isinstance(last, Finished)
    assert last.outcome == "FAILED"
    assert "embedding does not answer" in last.error
    waiting = await line.submit("later.md", TEXT.replace(b"Moreland", b"Westmore"), collection="tower")
    await asyncio.sleep(3)
    assert not (await line.document(waiting.document_id)).settled
    await asyncio.to_thread(local.command, "start", "embedding")
    async for document in line.watch([waiting.document_id]):
        last_state = document.state
    assert last_state == "INDEXED"
    async with asyncio.timeout(10):
        while not await found(line):
            await asyncio.sleep(0.2)


async def found(line: Loopline) -> bool:
    """Connections look for a server that was away again within two seconds."""
    try:
        return bool(await line.search("Westmore", collections=["tower"]))
    except Unavailable:
        return False
