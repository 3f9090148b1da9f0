"""What an alarm says: how large the change is, since when, what stands behind it, and what probably caused it."""

from collections.abc import Mapping
from dataclasses import replace

from loopline_monitoring.app.alarms import Finding
from loopline_monitoring.app.recents import Recents
from loopline_monitoring.app.series import Closed, Series
from loopline_monitoring.app.versions import Versions
from loopline_monitoring.detection.causes import Moved, VersionSeen, rank
from loopline_monitoring.detection.effects import arcsines
from loopline_monitoring.detection.effects import severity as graded
from loopline_monitoring.detection.windows import compare
from loopline_monitoring.model import Cause, Key, Severity

MOST_EXAMPLES = 10


def drifting(key: Key, series: Series, at: float, recents: Recents) -> Finding:
    """What the test that looks at every value has found; the series has a baseline."""
    sequential, baseline = series.sequential, series.baseline
    if sequential is None or baseline is None:
        raise ValueError(f"{key} is tested against nothing")
    before, after, _ = sequential.shares()
    effect = max((abs(arcsines(old, new)) for old, new in zip(before, after, strict=True)), default=0.0)
    told = sequential.leaning
    for window in series.windows.values():
        verdict = compare(baseline.sketch, window.sketch)
        if verdict.enough:
            effect, told = verdict.effect, f"{told}: {verdict.told}"
    severity = graded(effect)
    examples = sequential.abouts(MOST_EXAMPLES)
    return Finding(
        key=key,
        threshold="",
        test="sequential",
        p=1 / max(1.0, series.evidence()),
        effect=effect,
        # The promise is about changes of any size; one that is found is worth a word.
        severity=severity if severity is not Severity.NONE else Severity.LOW,
        told=told,
        since=sequential.onset,
        at=at,
        baseline=baseline.name,
        baseline_version=baseline.version,
        examples=examples,
        questions=recents.questions(key.tenant, examples),
    )


def over(key: Key, series: Series, closed: Closed, recents: Recents) -> Finding:
    """What the test of a closed window has found; the series has a baseline, and the window a verdict."""
    found, verdict = drifting(key, series, closed.span.end, recents), closed.span.verdict
    if verdict is None:
        raise ValueError(f"a window of {key} was compared with nothing")
    # Before it has evidence of its own, what the sequential test points at is ordinary traffic.
    believed = series.evidence() > 1
    examples = (believed and found.examples) or closed.sketch.examples()
    return replace(
        found,
        test=verdict.test,
        p=verdict.p,
        effect=verdict.effect,
        severity=verdict.severity,
        told=verdict.told,
        since=found.since if believed else closed.span.begin,
        examples=examples,
        questions=recents.questions(key.tenant, examples),
    )


def causes(finding: Finding, signals: Mapping[Key, Series], versions: Versions) -> list[Cause]:
    """Ranked over all that moved in the collection, since one change moves many signals."""
    key, moved = finding.key, []
    for other, series in signals.items():
        alike = (other.tenant, other.collection) == (key.tenant, key.collection)
        if alike and series.sequential is not None and (series.moved or other == key):
            times, likelihood = series.sequential.profile()
            moved.append(Moved(other.signal, other.collection, other.slice, times, likelihood))
    seen = [
        VersionSeen(event.what, event.value, event.before, event.at, event.collection)
        for event in versions.before(key.tenant, key.collection, finding.at)
    ]
    return rank(moved, seen)


def short(value: str) -> str:
    """A version as people say it: long hashes are cut."""
    name, at, digest = value.rpartition("@")
    return f"{name}{at}{digest[:12]}" if len(digest) > 20 else value
