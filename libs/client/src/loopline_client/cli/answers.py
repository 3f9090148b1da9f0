"""`loopline answers`, `feedback`: answers that were given, their scores, and what people say of them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from loopline_client.cli.ask import named
from loopline_client.cli.output import AsJson, as_json, fail, run, say, table
from loopline_runtime.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from loopline_client.evaluation import Evaluated, Score, Shown
    from loopline_client.results import Answer

answers = typer.Typer(help="Answers that were given, and their scores", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The answer's id, as `loopline ask` and `answers list` show it")]
QUESTION_SHOWN, SHOWN = 60, ("support", "support_meaning", "answer_similarity", "faithfulness")


@answers.command("list")
def list_answers(
    score: Annotated[
        list[str] | None, typer.Option(help="For example 'support<0.5', 'faithfulness=fail', 'tone missing'")
    ] = None,
    version: Annotated[str, typer.Option(help="A model, prompt (name.version), index (collection=version)")] = "",
    feedback: Annotated[str, typer.Option(help="up or down")] = "",
    collection: Annotated[list[str] | None, typer.Option(help="May be given again")] = None,
    judging: Annotated[str, typer.Option(help="WAITING, JUDGED, SKIPPED, or a reason such as BUDGET_SPENT")] = "",
    since: Annotated[datetime | None, typer.Option(help="Given at or after this time (UTC)")] = None,
    until: Annotated[datetime | None, typer.Option(help="Given before this time (UTC)")] = None,
    most: Annotated[int, typer.Option(help="How many")] = 50,
    json_: AsJson = False,
) -> None:
    """List answers, newest first; all conditions hold.

    Example:  loopline answers list --score 'faithfulness<0.5' --feedback down
    """
    _check_thumb(feedback)

    async def work() -> "list[Evaluated]":
        from loopline_client.library import Loopline

        found: list[Evaluated] = []
        async with Loopline.local() as line:
            async for one in line.evaluation.answers(
                conditions=score or [],
                version=version,
                feedback=feedback,
                collections=collection or [],
                judging=judging,
                since=since,
                until=until,
            ):
                found.append(one)
                if len(found) >= most:
                    break
        return found

    found = run(work())
    if json_:
        as_json(found)
        return
    rows = (
        (one.answer_id, one.started_at, one.question[:QUESTION_SHOWN], _brief(one.scores), one.judging, _thumbs(one))
        for one in found
    )
    table(["answer", "at", "question", "scores", "judge", "people"], rows, "no answer matches")


@answers.command("show")
def show_answer(answer_id: Id, json_: AsJson = False) -> None:
    """Show an answer: question, text, passages, what made it, scores with their evidence, and what people say.

    An answer that is being given, or was just now, is shown without scores.
    """

    async def work() -> "tuple[Answer | None, Shown | None]":
        from loopline_client.library import Loopline

        given: Answer | None = None
        async with Loopline.local() as line:
            try:
                given = await line.answer(answer_id)
            except NotFound:  # kept by evaluation for longer, when somebody rated it
                given = None
            try:
                return given, await line.evaluation.show(answer_id)
            except NotFound:
                if given is None:
                    raise
            except Unavailable as error:
                if given is None:
                    raise
                say(f"(no scores: {error})", "dim")
            return given, None

    given, shown = run(work())
    if json_:
        as_json({"answer": given, "evaluation": shown})
        return
    both = given or shown
    if both is None:
        return
    say(f"Question: {both.question}", "bold")
    say(both.text)
    for number, passage in enumerate(both.passages, 1):
        say(f"[{number}] {named(passage)}   {passage.document_id}   score {passage.score:.3f}")
    if given:
        say(f"{given.outcome or 'being given'}; {given.error or 'no error'}", "red" if given.error else "dim")
    if shown:
        _scored(shown)
    elif given:
        made = f"model {given.model or '-'}, prompt {given.prompt}, trace {given.trace_id}"
        say(f"{made}; not scored (yet)", "dim")


def _scored(shown: "Shown") -> None:
    say(f"made by {', '.join(shown.versions)}; trace {shown.trace_id or '-'}", "dim")
    say(f"\nScores (judge: {shown.judging})", "bold")
    for score in shown.scores:
        value = "-" if score.value is None else f"{score.value:.3f}"
        say(f"{score.metric:<20} {value:>7}  {score.verdict:<4} {score.missing}".rstrip())
        for sentence, passage, note in score.evidence:
            where = "".join((f" sentence {sentence}" if sentence else "", f" passage [{passage}]" if passage else ""))
            say(f"   {where.strip()}: {' '.join(note.split())}" if where else f"   {' '.join(note.split())}", "dim")
    for opinion in shown.feedback:
        told = [opinion.thumb, "" if opinion.score is None else f"{opinion.score:g}", *opinion.categories]
        say(f"{opinion.by}: {' '.join(filter(None, told))} {opinion.comment}".rstrip())
        if opinion.correction:
            say(f"   should be: {opinion.correction}")


def feedback(
    answer_id: Id,
    up: Annotated[bool, typer.Option("--up", help="A good answer")] = False,
    down: Annotated[bool, typer.Option("--down", help="A bad one: a judge looks at it, when there is one")] = False,
    score: Annotated[float | None, typer.Option(help="0 to 1")] = None,
    correction: Annotated[str, typer.Option(help="What the answer should have been")] = "",
    comment: Annotated[str, typer.Option()] = "",
    category: Annotated[list[str] | None, typer.Option(help="For example wrong; may be given again")] = None,
    by: Annotated[str, typer.Option(help="Who says so; default: the key's name")] = "",
) -> None:
    """Say what you think of an answer; your latest opinion counts.

    Example:  loopline feedback 87b6b3d4582e4eec8bbc925cef869167 --down --comment "wrong year"
    """
    if up and down:
        fail("--up or --down, not both")
    thumb = "up" if up else "down" if down else ""

    async def work() -> int:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.evaluation.feedback(
                answer_id,
                thumb=thumb,
                score=score,
                correction=correction,
                comment=comment,
                categories=category or [],
                by=by,
            )

    revision = run(work())
    say("thank you" if revision == 1 else f"thank you; this is opinion {revision} of yours, and counts")


def _brief(scores: "tuple[Score, ...]") -> str:
    failed = [f"{one.metric} {one.value:.2f}" for one in scores if one.verdict == "fail" and one.value is not None]
    good = [f"{one.metric} {one.value:.2f}" for one in scores if one.metric in SHOWN and one.value is not None]
    return f"FAIL {', '.join(failed)}" if failed else ", ".join(good) or "-"


def _thumbs(one: "Evaluated") -> str:
    return " ".join(
        filter(None, (f"+{one.thumbs_up}" * bool(one.thumbs_up), f"-{one.thumbs_down}" * bool(one.thumbs_down)))
    )


def _check_thumb(word: str) -> None:
    if word not in ("", "up", "down"):
        fail("--feedback is up or down")
