"""All signals and how they stand. Synchronous and deterministic, so that live, restart and backtest are one code."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from loopline_monitoring.app.alarms import Alarms, Finding
from loopline_monitoring.app.derived import Derived
from loopline_monitoring.app.diagnosis import causes, drifting, over, short
from loopline_monitoring.app.golden import Golden
from loopline_monitoring.app.grouping import Row, Watched
from loopline_monitoring.app.limits import Limits
from loopline_monitoring.app.plain import ALARM, COMPARISON
from loopline_monitoring.app.recents import Recents
from loopline_monitoring.app.series import Closed, Series, kind_of
from loopline_monitoring.app.tidying import tidied
from loopline_monitoring.app.versions import Versions
from loopline_monitoring.detection.causes import REACHES
from loopline_monitoring.detection.kinds import Value
from loopline_monitoring.detection.promise import Promise
from loopline_monitoring.detection.sketch import Sketch
from loopline_monitoring.detection.windows import compare
from loopline_monitoring.model import (
    CANARY,
    Change,
    Comparison,
    Frame,
    Intention,
    Key,
    Observed,
    Policy,
    Version,
)
from loopline_monitoring.ports import Row as Window

Records = dict[tuple[str, str], bytes | None]
# Groups of one tenant and collection beyond so many are not watched on their own.
MOST_SLICES = 1000
TOPICS_OF = "question.embedding"


class Watching:
    """Every series, by its key, under one policy."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.promise = Promise(self.policy.false_alarms_per_week)
        self._signals: dict[Key, Series] = {}
        self._rows: dict[tuple[str, str, str], Row] = {}
        self.alarms = Alarms()
        self.versions = Versions()
        self.comparisons: dict[Key, Comparison] = {}
        self.recents = Recents()
        self.limits = Limits(self.policy.thresholds)
        self.golden = Golden()
        self._derived = Derived(self.policy.learn or 200)
        self._slices: dict[tuple[str, str], set[str]] = {}
        self._canaries = {(c.tenant, c.collection, q) for c in self.policy.canaries for q in c.questions}
        self._frame_of_most = self.policy.frame("")
        own = {name for name, _ in self.policy.window_sizes} | {CANARY}
        self._frames = {signal: self.policy.frame(signal) for signal in own}
        # How many series share the promise.
        self._tested = 0
        self._changed: set[Key] = set()
        self._rebased: set[Key] = set()
        self._versioned = False
        self._windows: list[Window] = []
        self._compared: list[Comparison] = []

    def observe(self, observed: Observed) -> Iterator[Change]:
        """What one fact tells, added to all series it belongs to. A repeat changes nothing."""
        observed = tidied(observed)
        if not self.recents.add(observed.id, observed.tenant, observed.about, observed.question):
            return
        for version in self.versions.seen(observed):
            if version.intended:
                yield from self._rebase(version)
        self._versioned = self._versioned or bool(observed.versions)
        if self._of_canary(observed):
            return
        completed = self._derived.completed(observed)
        for part in self._parts(completed):
            yield from self._tell(completed, part)

    @property
    def signals(self) -> Mapping[Key, Series]:
        """All series, with all that they were told."""
        self._flush()
        return self._signals

    @property
    def tested(self) -> int:
        """How many series have a baseline, and so share the promise."""
        return self._tested

    def _of_canary(self, observed: Observed) -> bool:
        """Whether it is about a canary, which is no traffic; what the canary found out itself is a signal."""
        if observed.canary_given:
            self.golden.given(observed.about)
        asked = (observed.tenant, observed.collection, observed.question) in self._canaries
        return (asked or self.golden.gave(observed.about)) and not observed.canary

    def pass_time(self, now: float) -> Iterator[Change]:
        """Closes what is over, when nothing is left to be read."""
        for key, series in self.signals.items():
            if series.windows:
                for closed in series.pass_time(now, self._frame(key), self.promise, self._tested):
                    yield from self._closed(key, series, closed)
                    self._changed.add(key)

    def agree(
        self, keys: Iterable[Key], name: str, sketch_of: Callable[[Key], Sketch | None], at: float
    ) -> Iterator[Change]:
        """What a person says is normal, for these series."""
        for key in keys:
            sketch = sketch_of(key)
            if sketch is not None:
                yield from self._finish(key)
                self.signals[key].agree(name, sketch, at)
                yield from self._agreed(key, at)

    def collect(self, keys: Iterable[Key], name: str, wanted: int, at: float) -> Iterator[Change]:
        """The next so many values shall be normal, for these series."""
        for key in keys:
            yield from self._collect(key, name, wanted, at, "")

    def intend(self, intention: Intention) -> Iterator[Change]:
        """A change that is meant, from now on or just now."""
        for version in self.versions.intend(intention):
            yield from self._rebase(version)
        self._versioned = True

    def kept(self) -> tuple[Records, list[Window]]:
        """Records and closed windows to be kept since this was asked last."""
        self._flush()
        records: Records = {("series", key.id): self._signals[key].to_bytes() for key in sorted(self._changed)}
        for key in sorted(self._rebased):
            baseline = self._signals[key].baseline
            records["baseline", key.id] = baseline.to_bytes() if baseline else None
        for alarm_id, alarm in self.alarms.changed():
            records["alarm", alarm_id] = ALARM.pack(alarm) if alarm else None
        records |= {("recent", number): data for number, data in self.recents.changed()}
        records |= {("comparison", one.key.id): COMPARISON.pack(one) for one in self._compared}
        records |= self._derived.changes()
        records |= self.limits.changes()
        records |= self.golden.changes()
        if self._versioned:
            records["versions", ""] = self.versions.to_bytes()
        rows, self._windows = self._windows, []
        self._changed.clear()
        self._rebased, self._versioned, self._compared = set(), False, []
        return records, rows

    def restore(self, records: Mapping[tuple[str, str], bytes | None]) -> None:
        """Takes up what was kept."""
        alarms = []
        for (kind, identity), data in records.items():
            if data is None:
                continue
            match kind:
                case "series":
                    key = Key.of(identity)
                    series = Series.from_bytes(data, records.get(("baseline", identity)))
                    self._signals[key] = series
                    row = self._rows.setdefault((key.tenant, key.collection, key.slice), Row(self._changed))
                    row.watched[key.signal] = Watched(key, series, self._frame(key))
                    self._slices.setdefault((key.tenant, key.collection), set()).add(key.slice)
                case "alarm":
                    alarms.append(ALARM.unpack(data))
                case "recent":
                    self.recents.restore(identity, data)
                case "comparison":
                    self.comparisons[Key.of(identity)] = COMPARISON.unpack(data)
                case "versions":
                    self.versions.restore(data)
                case "limits":
                    self.limits.restore(data)
                case "golden":
                    self.golden.restore(identity, data)
                case _:
                    self._derived.restore(kind, identity, data)
        self.alarms.restore(alarms)
        self._count()

    def _parts(self, observed: Observed) -> list[str]:
        """All traffic, and the groups that are watched on their own."""
        known = self._slices.setdefault((observed.tenant, observed.collection), {""})
        wanted = [
            name
            for name in observed.slices
            if name.partition("=")[0] in self.policy.slices or "*" in self.policy.slices
        ]
        for name in wanted:
            if name not in known and len(known) <= MOST_SLICES:
                known.add(name)
        return ["", *(name for name in wanted if name in known)]

    def _tell(self, observed: Observed, part: str) -> Iterator[Change]:
        """What one fact tells of one group of its tenant and collection: first all values are told, then all series are looked at."""
        row = self._rows.setdefault((observed.tenant, observed.collection, part), Row(self._changed))
        values = observed.values
        if self.policy.ignored:
            values = {signal: value for signal, value in values.items() if signal not in self.policy.ignored}
        group, due = row.grouped(tuple(values)), None
        if group is not None and (due := group.take(values, observed.at, observed.about, self._limit)) is None:
            row.dissolve(group)
            group = None
        for signal in values if group is None else group.others:
            yield from self._add(row, part, signal, values[signal], observed)
        for signal in values if group is None or due else group.others:
            if (watched := row.watched.get(signal)) and (watched.group is None or signal in (due or ())):
                yield from self._looked_at(watched, observed.at)
                if watched.group is not None:
                    watched.group.closed(signal)
        if group is not None and due and not group.steady:
            row.dissolve(group)

    def _add(self, row: Row, part: str, signal: str, value: Value, observed: Observed) -> Iterator[Change]:
        watched = row.watched.get(signal)
        if watched is None:
            kind = kind_of(value)
            if kind is None:
                return
            key = Key(observed.tenant, observed.collection, part, signal)
            watched = row.watched[signal] = Watched(key, Series(kind), self._frame(key))
            self._signals[key] = watched.series
            if wanted := self.policy.learning(signal):
                watched.series.collect("first", wanted, observed.at)
        elif watched.group is not None:
            row.dissolve(watched.group)
        series, frame = watched.series, watched.frame
        self._changed.add(watched.key)
        for closed in series.add(
            value, observed.at, observed.told_at, observed.about, frame, self.promise, self._tested
        ):
            yield from self._closed(watched.key, series, closed)

    def _looked_at(self, watched: Watched, at: float) -> Iterator[Change]:
        """A series that was told something."""
        key, series = watched.key, watched.series
        before = series.baseline
        for closed in series.settled(at, watched.frame, self.promise, self._tested):
            yield from self._closed(key, series, closed)
        if series.baseline is not before:
            self._compare(key, before.sketch if before else None, at)
            yield from self._agreed(key, at)
        elif not series.moved and series.evidence() >= self._limit:
            series.moved, series.calm = True, 0
            yield from self._found(drifting(key, series, at, self.recents))

    def _flush(self) -> None:
        """What waits in groups is given to its series."""
        for row in self._rows.values():
            for group in row.groups.values():
                group.flush()

    @property
    def _limit(self) -> float:
        """Evidence that is an alarm, in weeks."""
        return 1 / self.promise.level_sequential(self._tested)

    def _frame(self, key: Key) -> Frame:
        return self._frames.get(key.signal, self._frame_of_most)

    def _closed(self, key: Key, series: Series, closed: Closed) -> Iterator[Change]:
        """A window is over: it is kept, tested, held to its limits, and may end an alarm."""
        self._windows.append(Window(key, closed.span, closed.sketch.to_bytes()))
        for threshold, crossed in self.limits.crossed(key, closed, self.policy.calm_windows):
            if crossed is None:
                yield from self.alarms.calm(key, threshold, closed.span.end)
            else:
                yield from self._found(crossed)
        if closed.span.verdict is None:
            return
        if closed.alarming:
            series.moved = True
            yield from self._found(over(key, series, closed, self.recents))
        elif series.moved and series.calm >= self.policy.calm_windows and self._quiet(series):
            series.moved = False
            if series.sequential is not None:
                series.sequential.restart()
            yield from self.alarms.calm(key, "", closed.span.end)

    def _quiet(self, series: Series) -> bool:
        return series.sequential is None or series.sequential.quiet(self.promise.level_sequential(self._tested))

    def _found(self, finding: Finding) -> Iterator[Change]:
        yield from self.alarms.found(finding, causes(finding, self._signals, self.versions))

    def _rebase(self, version: Version) -> Iterator[Change]:
        """A change that was meant: what it can move is agreed anew."""
        families = REACHES.get(version.what)
        if families is None or "canary" in families:
            self.golden.forget(version.tenant, version.collection)
        for key in sorted(self._signals):
            ours = key.tenant == version.tenant and version.collection in ("", key.collection)
            if ours and (families is None or key.signal.partition(".")[0] in families):
                name = f"after {version.what} {short(version.value)}"
                wanted = self.policy.learning(key.signal) or self.policy.least
                yield from self._collect(key, name, wanted, version.at, f"{version.what}={version.value}")

    def _collect(self, key: Key, name: str, wanted: int, at: float, because: str) -> Iterator[Change]:
        yield from self._finish(key)
        series = self._signals[key]
        series.collect(name, wanted, at, because)
        series.moved, series.calm = False, 0
        self._changed.add(key)
        yield from self.alarms.calm(key, "", at, f"rebased: {because or name}")

    def _finish(self, key: Key) -> Iterator[Change]:
        """What is in open windows belongs to what was."""
        series, row = self._signals[key], self._rows[key.tenant, key.collection, key.slice]
        if group := row.watched[key.signal].group:
            row.dissolve(group)
        for closed in series.finish(self.promise, self._tested):
            yield from self._closed(key, series, closed)

    def _agreed(self, key: Key, at: float) -> Iterator[Change]:
        series = self._signals[key]
        self._changed.add(key)
        self._rebased.add(key)
        self._count()
        if key.signal == TOPICS_OF and not key.slice and series.baseline is not None:
            sketch = series.baseline.sketch
            self._derived.fit((key.tenant, key.collection), sketch.vectors()[0], sketch.rows.width)
        yield from self.alarms.calm(key, "", at, "rebased")

    def _compare(self, key: Key, before: Sketch | None, at: float) -> None:
        """The before and after of a change that was meant."""
        baseline = self._signals[key].baseline
        if before is None or baseline is None or not baseline.because:
            return
        what, _, value = baseline.because.partition("=")
        events = [e for e in self.versions.events if (e.tenant, e.what, e.value) == (key.tenant, what, value)]
        if events:
            verdict = compare(before, baseline.sketch)
            made = Comparison(key, events[-1], before.summary(), baseline.sketch.summary(), verdict, at)
            self.comparisons[key] = made
            self._compared.append(made)

    def _count(self) -> None:
        self._tested = sum(series.sequential is not None for series in self._signals.values())


def matching(signals: Iterable[Key], tenant: str, collection: str = "", signal: str = "") -> Sequence[Key]:
    """The series of a tenant that are asked for, in order."""
    return sorted(
        key
        for key in signals
        if key.tenant == tenant and collection in ("", key.collection) and signal in ("", key.signal)
    )
