"""`loopline annotate`, `queues`: answers that people label, by keys, and what comes of it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import click
import typer

from loopline_client.cli.ask import named
from loopline_client.cli.output import AsJson, as_json, console, fail, run, say, table

if TYPE_CHECKING:
    from loopline_client.annotation import Agreement, Annotation, Calibration, Interval, Queue, QueueState
    from loopline_client.evaluation import Shown

T = TypeVar("T")
queues = typer.Typer(help="Answers that people label, and judges held against them", no_args_is_help=True)
By = Annotated[str, typer.Option("--by", help="Who labels; default: the key's name")]
SKIP, NOTE, PASSAGES, QUIT = "s", "n", "p", "q"
PASSAGE_SHOWN = 400


def annotate(queue: Annotated[str, typer.Argument(help="Its name; `loopline queues list`")], by: By = "") -> None:
    """Label answers of a queue, one after the other, by single keys: 1, 2, ... the labels; n a note first; p the passages; s skip; q quit.

    What is on the screen is yours for ten minutes; quitting or skipping gives it back.
    """
    labelled = run(_annotate(queue, by))
    say(f"{labelled} labelled")


async def _annotate(name: str, by: str) -> int:
    from loopline_client.library import Loopline

    async with Loopline.local() as line:
        found = [state.queue for state in await line.annotation.queues() if state.queue.name == name]
        if not found:
            fail(f"there is no queue {name!r}; `loopline queues list` shows them")
        labelled, skipped = 0, list[str]()
        while claimed := await line.annotation.claim(name, annotator=by, leave_out=skipped):
            answer, why = claimed
            label, note = _decided(found[0], answer, why)
            if label in (SKIP, QUIT):
                await line.annotation.release(name, answer.answer_id, annotator=by)
                skipped.append(answer.answer_id)
                if label == QUIT:
                    return labelled
                continue
            await line.annotation.label(name, answer.answer_id, label, note=note, annotator=by)
            labelled += 1
        say("nothing waits for you here")
        return labelled


def _decided(queue: "Queue", answer: "Shown", why: str) -> tuple[str, str]:
    """The label a person presses (or SKIP, QUIT) and their note."""
    say(f"\n{'-' * 80}\n{why.lower()}   {answer.answer_id}", "dim")
    say(f"Question: {answer.question}", "bold")
    say(answer.text)
    say(f"\n{queue.question}", "bold")
    keys = {str(place): label for place, label in enumerate(queue.labels, 1)}
    say("   ".join([*(f"{key} {label}" for key, label in keys.items()), "n note", "p passages", "s skip", "q quit"]))
    note = ""
    while True:
        pressed = click.getchar()
        if pressed in keys:
            say(f"-> {keys[pressed]}", "green")
            return keys[pressed], note
        if pressed in (SKIP, QUIT):
            return pressed, ""
        if pressed == NOTE:
            note = console.input("note: ").strip()
        elif pressed == PASSAGES:
            for number, passage in enumerate(answer.passages, 1):
                say(f"[{number}] {named(passage)}", "bold")
                say(f"    {' '.join(passage.text.split())[:PASSAGE_SHOWN]}")
        elif not pressed:
            return QUIT, ""


async def _on_line(work: "Callable[[Annotation], Awaitable[T]]") -> T:
    from loopline_client.library import Loopline

    async with Loopline.local() as line:
        return await work(line.annotation)


@queues.command("list")
def list_queues(json_: AsJson = False) -> None:
    """List queues and how far each is."""

    async def work(annotation: "Annotation") -> "list[QueueState]":
        return await annotation.queues()

    found = run(_on_line(work))
    if json_:
        as_json(found)
        return
    rows = (
        (
            one.queue.name,
            one.queue.question,
            one.queue.labels,
            one.queue.metric,
            f"{one.done} of {one.items}",
            one.labels,
        )
        for one in found
    )
    table(
        ["queue", "question", "labels", "metric", "done", "labels given"],
        rows,
        "no queue; `loopline queues put` makes one",
    )


@queues.command("put")
def put_queue(
    name: str,
    question: Annotated[str, typer.Option(help="What annotators are asked")],
    label: Annotated[list[str], typer.Option(help="From worst to best; given two to nine times")],
    good_from: Annotated[int, typer.Option(help="From which label on an answer is good; default: the better half")] = 0,
    metric: Annotated[str, typer.Option(help="The metric these labels are held against")] = "",
    annotators: Annotated[int, typer.Option(help="People who label each answer")] = 1,
    random: Annotated[float, typer.Option(help="A share of all answers, as a control")] = 0.0,
    disagreeing: Annotated[list[str] | None, typer.Option(help="Metrics whose verdicts differ")] = None,
    unsure_within: Annotated[float, typer.Option(help="The metric is nearer to its threshold than this")] = 0.0,
    thumbs_down: Annotated[bool, typer.Option(help="Answers that somebody thinks bad")] = False,
) -> None:
    """Make a queue, or change it. Answers that are scored, judged or rated from now on go there by its rules.

    Example:  loopline queues put truth --question "Is all of it true?" --label no --label yes --metric support --random 0.05 --thumbs-down
    """

    async def work(annotation: "Annotation") -> None:
        from loopline_client.annotation import Queue

        made = Queue(
            name,
            question,
            tuple(label),
            good_from,
            metric,
            annotators,
            random,
            tuple(disagreeing or ()),
            unsure_within,
            thumbs_down,
        )
        await annotation.put_queue(made)

    run(_on_line(work))
    say(f"{name} is there; label with `loopline annotate {name}`")


@queues.command("agreement")
def agreement(name: str, json_: AsJson = False) -> None:
    """Show how far people agree: Cohen's kappa of each pair, Krippendorff's alpha of all."""

    async def work(annotation: "Annotation") -> "Agreement":
        return await annotation.agreement(name)

    found = run(_on_line(work))
    if json_:
        as_json(found)
        return
    rows = ((first, second, items, _figure(kappa)) for first, second, items, kappa in found.pairs)
    table(["first", "second", "answers of both", "kappa"], rows, "no two people have labelled here")
    say(f"alpha of all: {_figure(found.alpha)} over {found.items} answers")


@queues.command("calibrate")
def calibrate(
    name: str,
    swaps: Annotated[int, typer.Option(help="Answers that the judge is asked about again, swapped")] = 0,
    most_tokens: Annotated[int, typer.Option(help="Most tokens that the swaps may cost")] = 100_000,
    json_: AsJson = False,
) -> None:
    """Hold a queue's metric against its labels; with --swaps, measure what sways the judge: passages in reverse order, a sentence said twice."""

    async def work(annotation: "Annotation") -> "Calibration":
        return await annotation.calibrate(name, swaps=swaps, most_tokens=most_tokens)

    _told([run(_on_line(work))], json_)


@queues.command("calibrations")
def calibrations(json_: AsJson = False) -> None:
    """Show how far each judge agrees with people, and whether it may gate."""

    async def work(annotation: "Annotation") -> "list[Calibration]":
        return list(await annotation.calibrations())

    _told(run(_on_line(work)), json_)


def _told(found: "list[Calibration]", json_: bool) -> None:
    if json_:
        as_json(found)
        return
    rows = (
        (
            one.metric,
            one.evaluator,
            one.items,
            _figure(one.agreement),
            _figure(one.kappa),
            _figure(one.position_bias),
            _figure(one.length_bias),
            "yes" if not one.why_not else f"no: {one.why_not}",
        )
        for one in found
    )
    columns = [
        "metric",
        "judge",
        "answers",
        "agreement",
        "kappa",
        "order changes it by",
        "length changes it by",
        "may gate",
    ]
    table(columns, rows, "no judge was held against people yet")


def _figure(interval: "Interval | None") -> str:
    return f"{interval[0]:.2f} ({interval[1]:.2f} to {interval[2]:.2f})" if interval else "-"
