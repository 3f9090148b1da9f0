"""`loopline search`, `ask`, `conversations`."""

import sys
from typing import Annotated, Any

import typer

from loopline_client.cli.output import AsJson, as_json, console, fail, problems, run, say
from loopline_client.results import Finished, Passage, Sources, Started, Token

conversations = typer.Typer(help="Conversations", no_args_is_help=True)
Where = Annotated[list[str] | None, typer.Option("--collection", help="Where to look; may be given again")]
As = Annotated[list[str] | None, typer.Option("--principal", help="Who asks, for documents with readers")]
Filter = Annotated[str, typer.Option("--filter", help='For example: author = "Ann" and year >= 2020')]
QUOTE_SHOWN = 220


def search(
    question: str,
    collection: Where = None,
    k: Annotated[int, typer.Option("-k", help="How many passages")] = 5,
    filter_: Filter = "",
    principal: As = None,
    json_: AsJson = False,
) -> None:
    """Find passages.

    Example:  loopline search "how to reset" --filter 'source = "manual.pdf"'
    """

    async def work() -> list[Passage]:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.search(
                question, collections=collection or ["default"], k=k, filter=filter_, principals=principal or []
            )

    found = run(work())
    if json_:
        as_json(found)
        return
    for number, passage in enumerate(found, 1):
        say(
            f"{number}. {named(passage)}   score {passage.score:.3f} (cosine {passage.cosine:.3f}, words {passage.keyword:.3f})",
            "bold",
        )
        say(f"   {' '.join(passage.text.split())[:400]}")
    if not found:
        say("nothing found")


def ask(
    question: Annotated[str, typer.Argument(help="Without one, questions are asked for until an empty line")] = "",
    collection: Where = None,
    k: Annotated[int, typer.Option("-k", help="Passages to look for")] = 0,
    filter_: Filter = "",
    principal: As = None,
    engine: Annotated[str, typer.Option(help="chat or quote; default: the service's setting")] = "",
    grounding: Annotated[str, typer.Option(help="off, mark or strict; default: the service's setting")] = "",
    conversation: Annotated[str, typer.Option(help="A name; what was said in it counts")] = "",
    json_: AsJson = False,
) -> None:
    """Ask a question; the answer streams, then its sources are listed. Exit status 1 when the answer failed.

    Example:  loopline ask "Who built the lighthouse?"
    """
    if grounding not in ("", "off", "mark", "strict"):
        fail("--grounding is off, mark or strict")
    options = {
        "k": k,
        "filter": filter_,
        "principals": principal or [],
        "engine": engine,
        "grounding": grounding,
        "conversation_id": conversation,
    }
    if question:
        if not run(_asked(question, collection or ["default"], options, json_)):
            raise typer.Exit(1)
        return
    options["conversation_id"] = conversation or "terminal"
    while asked := console.input("\nquestion (empty to leave): ").strip():
        run(_asked(asked, collection or ["default"], options, json_))


async def _asked(question: str, collections: list[str], options: dict[str, Any], json_: bool) -> bool:
    from loopline_client.library import Loopline

    passages: tuple[Passage, ...] = ()
    started = Started("", "")
    async with Loopline.local() as line:
        async for step in line.ask(question, collections=collections, **options):
            match step:
                case Started():
                    started = step
                case Sources():
                    passages = step.passages
                case Token() if not json_:
                    # Straight out, not through a console that waits for lines.
                    sys.stdout.write(step.text)
                    sys.stdout.flush()
                case Finished():
                    if json_:
                        as_json(
                            {
                                "answer_id": started.answer_id,
                                "question": question,
                                "finished": step,
                                "passages": passages,
                            }
                        )
                    else:
                        _ended(step, passages, started.answer_id)
                    return step.outcome == "COMPLETED"
    return False


def _ended(finished: Finished, passages: tuple[Passage, ...], answer_id: str) -> None:
    sys.stdout.write("\n")
    if finished.error:
        problems.print(f"error: {finished.error}", style="red", markup=False)
    cited = {citation.number: citation.quote for citation in finished.citations}
    if cited:
        say("\nSources", "bold")
    for number in sorted(cited):
        passage = passages[number - 1]
        say(f"[{number}] {named(passage)}   {passage.document_id}")
        if cited[number]:
            say(f"    “{' '.join(cited[number].split())[:QUOTE_SHOWN]}”", "dim")
    checked = f", {finished.supported} of {finished.sentences} sentences supported" if finished.sentences else ""
    say(f"({finished.total_ms / 1000:.1f} s{checked}; loopline answers show {answer_id})", "dim")


def named(passage: Passage) -> str:
    """Title, place and source of a passage."""
    name = passage.title if passage.title and passage.title != passage.source else passage.source
    return f"{name}" + (f", {passage.place}" if passage.place and passage.place != name else "")


@conversations.command("show")
def show_conversation(conversation_id: str, json_: AsJson = False) -> None:
    """Show the turns of a conversation."""

    async def work() -> list[tuple[str, str]]:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.conversation(conversation_id)

    turns = run(work())
    if json_:
        as_json([{"role": role, "content": content} for role, content in turns])
        return
    for role, content in turns:
        say(f"{role}: {content}")


@conversations.command("delete")
def delete_conversation(conversation_id: str) -> None:
    """Forget a conversation."""

    async def work() -> None:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            await line.forget_conversation(conversation_id)

    run(work())
    say("forgotten")
