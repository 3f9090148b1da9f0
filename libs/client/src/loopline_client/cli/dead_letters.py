"""`loopline dead-letters`: what could not be finished."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from loopline_client.cli.bus import bus, readable
from loopline_client.cli.output import AsJson, as_json, fail, run, say, table

if TYPE_CHECKING:
    from loopline_nats.dead_letters import DeadLetter
    from loopline_nats.line import Line

dead_letters = typer.Typer(help="What could not be finished", no_args_is_help=True)


async def _letters(line: "Line") -> "list[DeadLetter]":
    from loopline_nats.dead_letters import DeadLetters

    return [letter async for letter in DeadLetters(line).list()]


@dead_letters.command("list")
def list_letters(json_: AsJson = False) -> None:
    """List what could not be finished, oldest first."""

    async def work() -> "list[DeadLetter]":
        async with bus() as line:
            return await _letters(line)

    found = run(work())
    if json_:
        as_json([_letter(letter) for letter in found])
        return
    rows = [(x.sequence, x.time, x.durable, x.event, x.tenant, x.document[:12], x.reason, x.error[:100]) for x in found]
    table(["number", "time", "durable", "event", "tenant", "document", "reason", "error"], rows, "no dead letters")


def _letter(letter: "DeadLetter") -> dict[str, Any]:
    names = (
        "sequence",
        "durable",
        "event",
        "tenant",
        "document",
        "reason",
        "error",
        "deliveries",
        "time",
        "event_id",
        "revision",
    )
    return {**{name: getattr(letter, name) for name in names}, "body": readable(letter.body), "bytes": len(letter.data)}


@dead_letters.command("show")
def show_letter(number: int) -> None:
    """Show one as readable JSON."""

    async def work() -> "DeadLetter":
        from loopline_nats.dead_letters import DeadLetters

        async with bus() as line:
            return await DeadLetters(line).show(number)

    as_json(_letter(run(work())))


Which = Annotated[list[int] | None, typer.Argument(help="Numbers, as `dead-letters list` shows them")]
ByReason = Annotated[str, typer.Option(help="All with this reason")]
All = Annotated[bool, typer.Option("--all", help="All of them")]


@dead_letters.command()
def replay(numbers: Which = None, reason: ByReason = "", all_: All = False) -> None:
    """Say letters again, each to the one durable that failed."""
    _each(numbers, reason, all_, "replayed")


@dead_letters.command()
def discard(numbers: Which = None, reason: ByReason = "", all_: All = False) -> None:
    """Remove letters for good."""
    _each(numbers, reason, all_, "discarded")


def _each(numbers: list[int] | None, reason: str, all_: bool, what: str) -> None:
    if not (numbers or reason or all_):
        fail("name numbers, --reason or --all")

    async def work() -> int:
        from loopline_nats.dead_letters import DeadLetters

        async with bus() as line:
            letters = DeadLetters(line)
            chosen = numbers or [x.sequence for x in await _letters(line) if all_ or x.reason == reason]
            for number in chosen:
                await (letters.replay(number) if what == "replayed" else letters.discard(number))
            return len(chosen)

    say(f"{run(work())} {what}")
