"""`loopline drift`: what differs from what was agreed as normal, why, and what to do about it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated

import typer

from loopline_client.cli.output import AsJson, as_json, fail, run, say, table

if TYPE_CHECKING:
    from loopline_client.monitoring import Alarm, Drift, Signal

drift = typer.Typer(help="What differs from what was agreed as normal, and why", no_args_is_help=True)
baseline = typer.Typer(help="What is agreed as normal", no_args_is_help=True)
drift.add_typer(baseline, name="baseline")

Collection = Annotated[str, typer.Option(help="Only this collection (or model of one's own)")]
SignalName = Annotated[str, typer.Option(help="Only this signal, for example answer.length")]
BARS, WIDEST = "▁▂▃▄▅▆▇█", 24
GAP = " "
COLOURS = {"high": "red", "medium": "yellow", "low": "cyan"}


@drift.command()
def status(
    collection: Collection = "",
    every: Annotated[bool, typer.Option("--all", help="Slices too, and alarms that are over")] = False,
    json_: AsJson = False,
) -> None:
    """Show every signal with its last windows as small bars, then the alarms; exit status 1 while one is open.

    Example:  loopline drift status --collection manuals
    """

    async def work() -> "Drift":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.monitoring.drift(collection=collection, closed=every)

    found = run(work())
    if json_:
        as_json(found)
    else:
        rows = [_row(signal) for signal in found.signals if every or not signal.slice]
        columns = ["collection", "signal", "last windows", "normal", "now", "effect", "seen", ""]
        table(columns, rows, "nothing was seen yet")
        per = f"at most {found.promise:g} false alarm{'s' if found.promise != 1 else ''} a week over {found.tested} tested signals"
        say(f"\n{per}; {sum(alarm.cleared_at is None for alarm in found.alarms)} alarms are open")
        for alarm in found.alarms:
            say(_line(alarm), COLOURS.get(alarm.severity) if alarm.cleared_at is None else None)
    if any(alarm.cleared_at is None for alarm in found.alarms):
        raise typer.Exit(1)


@drift.command()
def show(
    what: Annotated[str, typer.Argument(help="An alarm's id (its beginning does), or a signal's name")],
    collection: Collection = "",
    json_: AsJson = False,
) -> None:
    """Show one alarm with its causes and the questions behind it, or one signal with what was before and after meant changes.

    Example:  loopline drift show answer.length
    """

    async def work() -> "Drift":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.monitoring.drift(collection=collection, closed=True)

    found = run(work())
    alarms = [alarm for alarm in found.alarms if alarm.alarm_id.startswith(what)]
    if not alarms and not any(signal.signal == what for signal in found.signals):
        fail(f"no alarm and no signal is named {what}; `loopline drift status` shows them")
    if json_:
        as_json(alarms or [signal for signal in found.signals if signal.signal == what])
        return
    for alarm in alarms:
        _show_alarm(alarm)
    if not alarms:
        _show_signal(found, what)


@drift.command()
def watch(collection: Collection = "", json_: AsJson = False) -> None:
    """Show open alarms, then every change of one as it happens."""

    async def work() -> None:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            async for alarm in line.monitoring.watch(collection=collection):
                if json_:
                    as_json(alarm)
                else:
                    say(_line(alarm), COLOURS.get(alarm.severity) if alarm.cleared_at is None else "green")

    run(work())


@baseline.command("set")
def set_baseline(
    last: Annotated[int, typer.Option(help="From the last so many values that were seen")] = 0,
    next_: Annotated[int, typer.Option("--next", help="From the next so many values")] = 0,
    since: Annotated[datetime | None, typer.Option(help="From what was seen since then (UTC)")] = None,
    until: Annotated[datetime | None, typer.Option(help="With --since: until then; default: now")] = None,
    name: Annotated[str, typer.Option(help="What to call it")] = "agreed",
    collection: Collection = "",
    signal: SignalName = "",
    json_: AsJson = False,
) -> None:
    """Agree on what is normal: from the last or the next values, or from a period. Open alarms of these signals end.

    Example:  loopline drift baseline set --since 2026-03-01 --until 2026-04-01 --name march --collection manuals
    """
    if sum(map(bool, (last, next_, since))) != 1:
        fail("say one of --last, --next or --since")

    async def work() -> "tuple[list[Signal], list[str]]":
        from loopline_client.library import Loopline

        period = (_utc(since), _utc(until) if until else None) if since else None
        async with Loopline.local() as line:
            return await line.monitoring.set_baseline(
                collection=collection, signal=signal, name=name, period=period, last=last, next_=next_
            )

    agreed, refused = run(work())
    if json_:
        as_json({"agreed": agreed, "refused": refused})
        return
    say(f"{len(agreed)} signals have the baseline {name}" + (f"; {len(refused)} do not:" if refused else ""))
    for sentence in refused:
        say(f"  {sentence}")


@baseline.command("list")
def list_baselines(collection: Collection = "", signal: SignalName = "", json_: AsJson = False) -> None:
    """List what is agreed, signal by signal."""

    async def work() -> "Drift":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.monitoring.drift(collection=collection, signal=signal)

    found = run(work()).signals
    if json_:
        as_json(found)
        return
    columns = ["collection", "slice", "signal", "baseline", "version", "values", "mean"]
    rows = [
        (s.collection, s.slice, s.signal, s.baseline or "none", s.baseline_version, _held(s), f"{s.baseline_mean:.4g}")
        for s in found
    ]
    table(columns, rows, "nothing was seen yet")


@drift.command()
def ack(
    alarm: Annotated[str, typer.Argument(help="Its id; the beginning does")],
    reason: Annotated[str, typer.Option(help="For whoever looks next")],
    mute_h: Annotated[float, typer.Option(help="Send nothing more of it to people for so many hours")] = 0,
    close: Annotated[bool, typer.Option(help="It is over; the signal must be normal before a new one opens")] = False,
    json_: AsJson = False,
) -> None:
    """Say that you know of an alarm; mute or close it.

    Example:  loopline drift ack 3f2a --reason "known, fixed tomorrow" --mute-h 24
    """
    until = datetime.now(UTC) + timedelta(hours=mute_h) if mute_h else None

    async def work() -> "Alarm":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.monitoring.acknowledge(alarm, reason, muted_until=until, close=close)

    found = run(work())
    as_json(found) if json_ else say(_line(found))


@drift.command()
def intend(
    what: Annotated[str, typer.Argument(help="prompt, model, index, embedding_model, policy, model_version")],
    value: Annotated[str, typer.Argument(help="A part of the version's name or hash; empty: any new one")] = "",
    reason: Annotated[str, typer.Option(help="Why; stands in the report of before and after")] = "",
    collection: Collection = "",
    hours: Annotated[float, typer.Option(help="It will be seen within so many hours")] = 24.0,
) -> None:
    """Announce a change that is meant: it begins a new baseline and a report of before and after, and no alarm is raised for it.

    Example:  loopline drift intend prompt --reason "shorter answers" --collection manuals
    """
    if not reason.strip():
        fail("say why: --reason")

    async def work() -> None:
        from loopline_client.library import Loopline

        until = datetime.now(UTC) + timedelta(hours=hours)
        async with Loopline.local() as line:
            await line.monitoring.intend(reason, collection=collection, what=what, value=value, until=until)

    run(work())
    say(f"a new {what} {value}".rstrip() + f" within {hours:g} h is no alarm")


def join() -> None:
    """Other distributions add commands by the entry point group `loopline.commands.drift`: report, backtest."""
    for entry in entry_points(group="loopline.commands.drift"):
        drift.registered_commands += entry.load().registered_commands


def sparkline(values: Sequence[float | None], usual: float) -> str:
    """Small bars, the lowest value to the highest; a gap is a gap. `usual` is in the range too, so that noise stays small."""
    shown = values[-WIDEST:]
    known = [value for value in (*shown, usual) if value is not None]
    low, high = min(known), max(known)
    slack = max(high - low, abs(usual) * 0.1, 1e-12)
    return "".join(GAP if v is None else BARS[min(7, int((v - low) / slack * 7.999))] for v in shown)


def _row(signal: "Signal") -> tuple[object, ...]:
    where = signal.signal + (f" ({signal.slice})" if signal.slice else "")
    numeric = signal.kind == "numeric"
    bars = (
        sparkline(signal.recent, signal.baseline_mean if numeric else signal.recent[-1] or 0.0) if signal.recent else ""
    )
    learning = signal.baseline_count < signal.baseline_wanted
    normal = f"{signal.baseline_mean:.4g}" if numeric and signal.baseline and not learning else ""
    state = (
        "ALARM"
        if signal.alarming
        else f"learning {_held(signal)}"
        if learning
        else ""
        if signal.baseline
        else "no baseline"
    )
    now = f"{signal.mean:.4g}" if numeric and signal.recent else ""
    return (
        signal.collection,
        where,
        bars,
        normal,
        now,
        f"{signal.effect:.2f}" if normal or signal.effect else "",
        signal.seen,
        state,
    )


def _held(signal: "Signal") -> str:
    if signal.baseline_count < signal.baseline_wanted:
        return f"{signal.baseline_count} of {signal.baseline_wanted}"
    return str(signal.baseline_count)


def _line(alarm: "Alarm") -> str:
    groups = f" ({', '.join(alarm.slices)})" if alarm.slices else ""
    cause = f"; probably {alarm.causes[0].what} {_short(alarm.causes[0].value)}" if alarm.causes else ""
    over = f"; over: {alarm.cleared_because}" if alarm.cleared_at else ""
    known = f"; known to {alarm.by}: {alarm.reason}" if alarm.by else ""
    what = f"{alarm.signal} {alarm.threshold}".rstrip()
    return (
        f"{alarm.alarm_id[:8]} {alarm.severity:<6} {alarm.collection} {what}{groups}: {alarm.told}{cause}{over}{known}"
    )


def _show_alarm(alarm: "Alarm") -> None:
    say(_line(alarm), "bold")
    say(
        f"since {alarm.since:%Y-%m-%d %H:%M:%S}, opened {alarm.opened_at:%H:%M:%S} by the test {alarm.test}, against {alarm.baseline or 'a limit'}"
    )
    for cause in alarm.causes:
        say(f"  {cause.score:4.0%} {cause.what} {cause.before or '-'} -> {cause.value}")
    for question in alarm.questions:
        say(f"  “{question}”")
    for example in alarm.examples[:5]:
        say(f"  loopline answers show {example}" if alarm.signal.startswith("answer.") else f"  {example}")


def _show_signal(found: "Drift", name: str) -> None:
    table(
        ["collection", "signal", "last windows", "normal", "now", "effect", "seen", ""],
        [_row(signal) for signal in found.signals if signal.signal == name],
        "",
    )
    for one in found.signals:
        if one.signal == name and one.told:
            say(
                f"{one.collection} {one.slice}: {one.told} (evidence of the test at every value: {one.evidence:.3g} weeks)"
            )
    for c in found.comparisons:
        if c.signal == name:
            say(f"{c.collection} {c.slice}: {c.before:.4g} -> {c.after:.4g} with {c.what} {_short(c.value)}: {c.told}")
    for alarm in found.alarms:
        if alarm.signal == name:
            say(_line(alarm))


def _short(value: str) -> str:
    """A version as people say it: long hashes are cut."""
    name, at, digest = value.rpartition("@")
    return f"{name}{at}{digest[:12]}" if len(digest) > 20 else value


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=at.tzinfo or UTC)
