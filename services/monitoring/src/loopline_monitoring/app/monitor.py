"""One turn after the other: facts and commands change what is watched, and what they changed is written in one transaction."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from loopline_monitoring.app.watching import Watching
from loopline_monitoring.model import Alarm, Change, Observed, Saying
from loopline_monitoring.ports import Kept, Letter, State
from loopline_runtime.errors import Unavailable

log = logging.getLogger(__name__)
LINE = "line"
# After so many facts what changed is written, however quickly they came.
MOST_UNWRITTEN = 2000
AGAIN_S = (0.5, 1.0, 2.0, 5.0)
# Windows are closed by the clock only when silence has lasted so long that nothing older can be on its way.
SETTLED_S = 2.0
MOST_WATCHERS_BEHIND = 1000


class Monitor:
    """Owns the watching; whoever changes it waits for its turn."""

    def __init__(
        self, watching: Watching, state: State, every_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.watching = watching
        self._state = state
        self._every_s = every_s
        self._clock = clock
        self._turn = asyncio.Lock()
        self._places: dict[str, int] = {}
        self._behind: set[str] = set()
        self._changes: list[Change] = []
        self._unwritten = 0
        # By the monotonic clock: when the state was last known to be written, when each reader last came.
        self.written_at = time.monotonic()
        self.heard_at: dict[str, float] = {}
        self._watchers: set[asyncio.Queue[Alarm]] = set()
        # Set when letters were written, for those who carry them.
        self.posted = asyncio.Event()

    async def begin(self, readers: Iterable[str] = ()) -> Mapping[str, int]:
        """Takes up what was kept; how far each reader had come."""
        kept = await self._state.load()
        self.watching.restore(kept.records)
        self._places = dict(kept.places)
        self._behind = set(readers)
        self.heard_at = dict.fromkeys(self._behind, time.monotonic())
        return kept.places

    async def hear(self, reader: str, last: int, observed: Sequence[Observed], *, caught_up: bool = False) -> None:
        """Facts of a reader, in order, up to and with the sequence `last`; `caught_up`: there are no more for now."""
        async with self._turn:
            for one in observed:
                self._changes += self.watching.observe(one)
            if self._places.get(reader) != last:
                self._places[reader] = last
                self._unwritten += max(1, len(observed))
            self.heard_at[reader] = time.monotonic()
            (self._behind.discard if caught_up else self._behind.add)(reader)
            if self._unwritten >= MOST_UNWRITTEN or time.monotonic() - self.written_at > self._every_s:
                await self._write()

    async def do(self, act: Callable[[Watching], Iterator[Change]]) -> None:
        """A person's command; returns when its effects are written. Whatever it raises is raised here, and nothing is written."""
        async with self._turn:
            changes = list(act(self.watching))
            self._changes += changes
            await self._write()

    async def keep(self) -> None:
        """Lets time pass, and writes, without end, so that silence is seen too."""
        while True:
            await asyncio.sleep(self._every_s)
            async with self._turn:
                if not self._behind:
                    self._changes += self.watching.pass_time(self._clock() - SETTLED_S)
                await self._write()

    async def write(self) -> None:
        """Now."""
        async with self._turn:
            await self._write()

    async def watch(self, tenant: str, collection: str) -> AsyncGenerator[Alarm, None]:
        """Open alarms, then each change of one, without end."""
        with self._watcher() as queue:
            for alarm in self.watching.alarms.of(tenant, collection):
                if alarm.open:
                    yield alarm
            while True:
                alarm = await queue.get()
                if alarm.tenant == tenant and collection in ("", alarm.collection):
                    yield alarm

    @contextmanager
    def _watcher(self) -> "Iterator[asyncio.Queue[Alarm]]":
        queue: asyncio.Queue[Alarm] = asyncio.Queue(MOST_WATCHERS_BEHIND)
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    async def _write(self) -> None:
        """All that changed, in one transaction; while the database is away nothing more is read."""
        records, rows = self.watching.kept()
        changes, self._changes = self._changes, []
        kept, tries = Kept(records, dict(self._places), rows, self._letters(changes)), 0
        while self._unwritten or records or rows or changes:
            try:
                await self._state.keep(kept)
                break
            except Unavailable as error:
                log.warning("the state is not written now: %s", error)
                await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
                tries += 1
        self._unwritten, self.written_at = 0, time.monotonic()
        if kept.letters:
            self.posted.set()
        for change in changes:
            for queue in self._watchers:
                if not queue.full():
                    queue.put_nowait(change.alarm)

    def _letters(self, changes: Sequence[Change]) -> list[Letter]:
        """Who is to be told what: the line everything that is said, people what is not muted."""
        letters = []
        for change in changes:
            if change.saying is Saying.NOTED:
                continue
            alarm = change.alarm
            muted = alarm.muted_until > self._clock()
            receivers = [LINE, *(() if muted else (hook.name for hook in self.watching.policy.webhooks))]
            letters += [Letter(f"{alarm.alarm_id}/{alarm.update}/{to}", to, change) for to in receivers]
        return letters
