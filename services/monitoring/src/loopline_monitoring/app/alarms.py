"""The life of an alarm: it opens once, gets graver or clearer, and ends; who is told is somebody else's work."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from loopline_monitoring.detection.effects import Severity
from loopline_monitoring.model import Alarm, Cause, Change, Key, Saying
from loopline_runtime.errors import NotFound

GRADE: Final = (Severity.NONE, Severity.LOW, Severity.MEDIUM, Severity.HIGH)
# Of the same cause nobody needs to hear twice; of one this much likelier, yes.
CLEARER = 0.3
MOST_EXAMPLES = 10
# Alarms that are over are remembered for a while.
MOST_CLOSED = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """A series that differs from what was agreed: what found it, how much, since when, and what stands behind it."""

    key: Key
    threshold: str
    test: str
    p: float
    effect: float
    severity: Severity
    told: str
    since: float
    at: float
    baseline: str
    baseline_version: int
    examples: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


class Alarms:
    """All of them, open and over."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, str, str, str], Alarm] = {}
        self.closed: dict[str, Alarm] = {}
        self._changed: set[str] = set()

    def restore(self, alarms: Sequence[Alarm]) -> None:
        """Takes up what was kept."""
        for alarm in sorted(alarms, key=lambda one: one.opened_at):
            if alarm.open:
                self.open[_place(alarm)] = alarm
            else:
                self.closed[alarm.alarm_id] = alarm

    def changed(self) -> list[tuple[str, Alarm | None]]:
        """By id, what is new since this was asked last; None: forgotten."""
        known = {alarm.alarm_id: alarm for alarm in (*self.open.values(), *self.closed.values())}
        found = [(alarm_id, known.get(alarm_id)) for alarm_id in sorted(self._changed)]
        self._changed.clear()
        return found

    def found(self, finding: Finding, causes: Sequence[Cause]) -> Iterator[Change]:
        """The alarm opens, or gets graver, wider or clearer."""
        key = finding.key
        place = (key.tenant, key.collection, key.signal, finding.threshold)
        alarm = self.open.get(place)
        if alarm is None:
            yield self._put(Change(Saying.DETECTED, _opened(finding, causes)))
            return
        graver = GRADE.index(finding.severity) > GRADE.index(alarm.severity)
        wider = key.slice not in alarm.moved
        clearer = bool(causes) and (not alarm.causes or _clearer(causes[0], alarm.causes[0]))
        if not (graver or wider or clearer):
            return
        changed = replace(
            alarm,
            update=alarm.update + 1,
            moved=tuple(sorted({*alarm.moved, key.slice})),
            causes=tuple(causes) if clearer else alarm.causes,
            examples=tuple(dict.fromkeys((*finding.examples, *alarm.examples)))[:MOST_EXAMPLES],
            questions=tuple(dict.fromkeys((*finding.questions, *alarm.questions)))[:MOST_EXAMPLES],
        )
        if graver:
            changed = replace(changed, severity=finding.severity, effect=finding.effect, told=finding.told)
            changed = replace(changed, test=finding.test, p=finding.p)
        yield self._put(Change(Saying.DETECTED, changed))

    def calm(self, key: Key, threshold: str, at: float, because: str = "recovered") -> Iterator[Change]:
        """A series is normal again; the alarm ends when all are that moved."""
        alarm = self.open.get((key.tenant, key.collection, key.signal, threshold))
        if alarm is None or key.slice not in alarm.moved:
            return
        if alarm.moved == (key.slice,):
            yield self.end(alarm, at, because)
        else:
            rest = tuple(one for one in alarm.moved if one != key.slice)
            self._put(Change(Saying.NOTED, replace(alarm, moved=rest)))

    def end(self, alarm: Alarm, at: float, because: str) -> Change:
        """It is over."""
        ended = replace(alarm, update=alarm.update + 1, cleared_at=max(at, alarm.opened_at), cleared_because=because)
        return self._put(Change(Saying.CLEARED, ended))

    def acknowledge(self, tenant: str, alarm_id: str, by: str, reason: str, muted_until: float) -> Change:
        """A person knows. NotFound for another tenant's."""
        alarm = replace(self.get(tenant, alarm_id), by=by, reason=reason, muted_until=muted_until)
        return self._put(Change(Saying.NOTED, alarm))

    def get(self, tenant: str, alarm_id: str) -> Alarm:
        """One by its id, or by the beginning of it when only one has that. NotFound."""
        found = [
            alarm
            for alarm in (*self.open.values(), *self.closed.values())
            if alarm.tenant == tenant and alarm_id and alarm.alarm_id.startswith(alarm_id)
        ]
        if len(found) != 1:
            raise NotFound(f"no one alarm is named {alarm_id}; `loopline drift status` shows them", field="alarm_id")
        return found[0]

    def of(self, tenant: str, collection: str = "") -> list[Alarm]:
        """A tenant's, the newest first, those that are open before all."""
        found = [a for a in (*self.open.values(), *self.closed.values()) if a.tenant == tenant]
        wanted = [a for a in found if collection in ("", a.collection)]
        return sorted(wanted, key=lambda a: (not a.open, -a.opened_at, a.alarm_id))

    def _put(self, change: Change) -> Change:
        alarm = change.alarm
        self.open.pop(_place(alarm), None) if alarm.alarm_id == self._open_id(alarm) else None
        if alarm.open:
            self.open[_place(alarm)] = alarm
        else:
            self.closed[alarm.alarm_id] = alarm
            while len(self.closed) > MOST_CLOSED:
                forgotten = next(iter(self.closed))
                del self.closed[forgotten]
                self._changed.add(forgotten)
        self._changed.add(alarm.alarm_id)
        return change

    def _open_id(self, alarm: Alarm) -> str:
        there = self.open.get(_place(alarm))
        return there.alarm_id if there else ""


def _place(alarm: Alarm) -> tuple[str, str, str, str]:
    return alarm.tenant, alarm.collection, alarm.signal, alarm.threshold


def _opened(finding: Finding, causes: Sequence[Cause]) -> Alarm:
    key = finding.key
    # The same values give the same alarm, whenever and wherever they are read.
    work = "\x1f".join((key.tenant, key.collection, key.signal, finding.threshold, f"{finding.at:.6f}"))
    return Alarm(
        alarm_id=hashlib.sha256(work.encode()).hexdigest()[:16],
        tenant=key.tenant,
        collection=key.collection,
        signal=key.signal,
        threshold=finding.threshold,
        severity=finding.severity,
        effect=finding.effect,
        test=finding.test,
        p=finding.p,
        told=finding.told,
        moved=(key.slice,),
        baseline=finding.baseline,
        baseline_version=finding.baseline_version,
        since=finding.since,
        opened_at=finding.at,
        causes=tuple(causes),
        examples=finding.examples[:MOST_EXAMPLES],
        questions=finding.questions[:MOST_EXAMPLES],
    )


def _clearer(now: Cause, before: Cause) -> bool:
    other = (now.what, now.value) != (before.what, before.value)
    return (other and now.score > before.score) or now.score > before.score + CLEARER
