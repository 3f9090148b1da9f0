"""Batches that are lost are made again; a dependency that is away buries nothing."""

import asyncio

from loopline_nats.line import open_line
from loopline_runtime.settings import Nats
from loopline_testing.line import LocalLine, summary

FILES = 100
# Of one tenant; the others wait for their turn.
UNDER_WAY = 2


async def test_a_purged_stream_of_batches_is_made_again(local: LocalLine):
    local.command("stop", "embedding")
    for number in range(FILES):
        text = (
            f"# Note {number}\n\nThe password of locker {number} is kept by warden Keeper{number} in room {number}.\n"
        )
        await local.submit(f"note-{number}.md", text.encode(), "notes")
    async with open_line(Nats(url=local.profile["nats_url"]), "operator") as line:
        while (await line.jetstream.stream_info("INGESTION_BATCHES")).state.messages < UNDER_WAY:
            await asyncio.sleep(0.2)
        await line.jetstream.purge_stream("INGESTION_BATCHES")
    local.command("start", "embedding")
    documents = await local.settled("notes", FILES, within_s=180)
    assert summary(documents) == {"DOCUMENT_STATE_INDEXED": FILES}
    assert local.command("dead-letters", "list", "--json").stdout.strip() in ("[]", "")
