"""What a policy would have raised: the facts of the past through the same core, in one order, with a state of its own.

The order of all streams together is that of the times at which the line was told, then of the readers' names, so that the same past gives the same
alarms. The state lies in a file until the end is reached: after a kill the next run goes on from there.
"""

import hashlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from loopline_monitoring.adapters.state_sql import StateSql
from loopline_monitoring.app import Monitor, Watching
from loopline_monitoring.app.monitor import LINE
from loopline_monitoring.events import observations, opened
from loopline_monitoring.model import Change, Observed, Policy
from loopline_nats.line import Line
from loopline_nats.reading import Batch

# All of it: a backtest's letters are read at its end and sent to nobody.
_ALL = 1_000_000
_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What one fact told, where it stood in its stream; nothing for facts that are no signals."""

    reader: str
    sequence: int
    told_at: float
    observed: Sequence[Observed]


def state_of(policy: Policy, line_url: str, since: datetime, until: datetime, folder: Path | None = None) -> Path:
    """The file in which such a backtest goes on after a kill."""
    digest = hashlib.sha256(repr((policy, line_url, since, until)).encode()).hexdigest()[:16]
    return (folder or Path(tempfile.gettempdir())) / f"loopline-backtest-{digest}.db"


async def facts(batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Heard, None]:
    """A reader's facts one by one."""
    async with aclosing(batches):
        async for batch in batches:
            for fact, delivery in batch.facts:
                one = Batch(batch.reader, [(fact, delivery)], delivery.sequence, caught_up=False)
                told = observations(one)
                at = told[0].told_at if told else 0.0
                yield Heard(batch.reader.name, delivery.sequence, at, told)


async def in_order(sources: Sequence[AsyncGenerator[Heard, None]]) -> AsyncIterator[Heard]:
    """Several streams as one, by time told, then reader; within a stream its own order holds."""
    heads: list[tuple[float, str, Heard, AsyncGenerator[Heard, None]]] = []
    for source in sources:
        async for head in source:
            heads.append((head.told_at, head.reader, head, source))
            break
    while heads:
        place = min(range(len(heads)), key=lambda number: heads[number][:2])
        at, _, head, source = heads.pop(place)
        yield head
        async for following in source:
            # A clock that went back does not let a stream overtake itself.
            heads.append((max(at, following.told_at), following.reader, following, source))
            break


async def backtest(
    sources: Callable[[str, int], AsyncGenerator[Heard, None]],
    readers: Sequence[str],
    policy: Policy,
    state_file: Path,
    until: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Change]:
    """Everything that policy would have said, in order. `sources` begins a reader after a sequence; the file is removed at the end."""
    async with StateSql.opened(f"sqlite:///{state_file}") as state:
        monitor = Monitor(Watching(policy), state, _EVERY_S, clock=lambda: 0.0)
        places = await monitor.begin(readers)
        async with AsyncExitStack() as stack:
            begun = [await stack.enter_async_context(aclosing(sources(name, places.get(name, 0)))) for name in readers]
            count = 0
            async for heard in in_order(begun):
                await monitor.hear(heard.reader, heard.sequence, heard.observed)
                count += 1
                progress(count)
        await monitor.do(lambda watching: watching.pass_time(until.timestamp()))
        said = [letter.change for letter in await state.letters(LINE, float("inf"), _ALL)]
    for part in state_file.parent.glob(f"{state_file.name}*"):
        part.unlink()
    return said


async def on_the_line(
    line: Line, policy: Policy, since: datetime, until: datetime, state_file: Path, progress: Callable[[int], None]
) -> list[Change]:
    """A backtest over what the line still holds of that time."""
    begun = {reader.name: begin for reader, begin in opened(line).items()}
    return await backtest(
        lambda name, after: facts(begun[name](after, since=since, until=until)),
        sorted(begun),
        policy,
        state_file,
        until,
        progress,
    )
