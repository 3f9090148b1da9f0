"""What people agree on as normal: from a period that was seen, from the last values, or from the next."""

import time
from collections.abc import Iterator, Sequence
from functools import reduce

from loopline_monitoring.app.monitor import Monitor
from loopline_monitoring.app.watching import Watching, matching
from loopline_monitoring.detection.sketch import Sketch
from loopline_monitoring.model import Change, Key
from loopline_monitoring.ports import Row, State
from loopline_runtime.errors import Invalid

Refused = dict[Key, str]


class Agreeing:
    """Sets baselines. Each way returns the series that have too few values, with a sentence."""

    def __init__(self, monitor: Monitor, state: State) -> None:
        self._monitor = monitor
        self._state = state

    async def from_period(
        self, tenant: str, collection: str, signal: str, name: str, begin: float, end: float
    ) -> Refused:
        """From the windows that closed between two times, s since 1970. Invalid when no series has enough."""
        if begin >= end:
            raise Invalid("the period ends before it begins", field="period")
        rows = await self._rows(tenant, collection, signal, begin, end)
        return await self._agree(self._keys(tenant, collection, signal), name, {k: _whole(r) for k, r in rows.items()})

    async def from_last(self, tenant: str, collection: str, signal: str, name: str, count: int) -> Refused:
        """From the newest windows that hold so many values together, the open one included."""
        rows = await self._rows(tenant, collection, signal, 0.0, float("inf"))
        keys = self._keys(tenant, collection, signal)
        return await self._agree(keys, name, {key: self._last(key, rows.get(key, []), count) for key in keys})

    async def from_next(self, tenant: str, collection: str, signal: str, name: str, count: int) -> Refused:
        """From the next so many values."""
        least = self._monitor.watching.policy.least
        if count < least:
            raise Invalid(f"a baseline of {count} values says too little; at least {least}", field="next")
        keys = self._keys(tenant, collection, signal)
        await self._monitor.do(lambda watching: watching.collect(keys, name, count, time.time()))
        return {}

    async def _agree(self, keys: Sequence[Key], name: str, sketches: dict[Key, Sketch | None]) -> Refused:
        least = self._monitor.watching.policy.least
        refused = {}
        for key in keys:
            sketch = sketches.get(key)
            held = sketch.count if sketch else 0
            if sketch is None or held < least:
                refused[key] = f"{held} values in the windows of that time; at least {least}"
        good = [key for key in keys if key not in refused]
        if not good:
            worst = next(iter(refused.values()), "no signal matches")
            raise Invalid(f"no signal has enough values to be a baseline: {worst}", field="values", reason="TOO_FEW")

        def act(watching: Watching) -> Iterator[Change]:
            return watching.agree(good, name, sketches.get, time.time())

        await self._monitor.do(act)
        return refused

    def _keys(self, tenant: str, collection: str, signal: str) -> Sequence[Key]:
        return matching(self._monitor.watching.signals, tenant, collection, signal)

    async def _rows(self, tenant: str, collection: str, signal: str, begin: float, end: float) -> dict[Key, list[Row]]:
        await self._monitor.write()
        found: dict[Key, list[Row]] = {}
        for row in await self._state.rows(tenant, collection, signal, begin, end):
            found.setdefault(row.key, []).append(row)
        return found

    def _last(self, key: Key, rows: Sequence[Row], count: int) -> Sketch | None:
        series = self._monitor.watching.signals[key]
        held = [one.sketch for one in series.windows.values()]
        for row in reversed(rows):
            if sum(sketch.count for sketch in held) >= count:
                break
            held.insert(0, Sketch.from_bytes(row.sketch))
        return reduce(Sketch.merge, held) if held else None


def _whole(rows: Sequence[Row]) -> Sketch:
    return reduce(Sketch.merge, (Sketch.from_bytes(row.sketch) for row in rows))
