"""`loopline check`: the whole line, once, as a caller sees it."""

import asyncio
import secrets
import time
from typing import Annotated

import typer

from loopline_client.cli.output import fail, run, say
from loopline_client.library import Loopline
from loopline_client.results import Finished

COLLECTION = "loopline-check"
QUESTION = "Who built the lighthouse at Skerry Point?"
TEXT = "# Coast\n\nThe lighthouse at Skerry Point was built in 1871 by the engineer Ada Moreland. It is painted white and red.\n"


def check(
    timeout_s: Annotated[float, typer.Option(help="For the document, and again for the answer, in seconds")] = 120.0,
) -> None:
    """A document in, a cited answer out, the document away again. Exit status 1 when one of them fails.

    It has a collection of its own, so that nobody else's answers change.

    Example:  loopline check --timeout-s 60
    """
    run(_checked(timeout_s))


async def _checked(timeout_s: float) -> None:
    async with Loopline.local() as line:
        source, began = f"check-{secrets.token_hex(4)}.md", time.monotonic()
        submitted = await line.submit(source, TEXT.encode(), collection=COLLECTION)
        try:
            async with asyncio.timeout(timeout_s):
                async for document in line.watch([submitted.document_id]):
                    if document.settled:
                        break
            if document.state != "INDEXED":
                fail(f"the document is {document.state}: {', '.join(document.reasons)}")
            say(f"a document in: INDEXED after {time.monotonic() - began:.1f} s")
            began = time.monotonic()
            async with asyncio.timeout(timeout_s):
                asked = line.ask(QUESTION, collections=[COLLECTION], filter=f'source = "{source}"')
                steps = [step async for step in asked]
            said = steps[-1]
            if not isinstance(said, Finished) or said.outcome != "COMPLETED":
                fail(f"the answer did not end well: {said}")
            if submitted.document_id not in {citation.document_id for citation in said.citations}:
                fail(f"the answer does not cite the document: {said.text}")
            say(f"a cited answer out: {' '.join(said.text.split())} ({time.monotonic() - began:.1f} s)")
        except TimeoutError:
            fail(f"nothing for {timeout_s:.0f} s; `loopline doctor` says what is wrong")
        finally:
            await line.delete(submitted.document_id)
    say("the document is away again")
