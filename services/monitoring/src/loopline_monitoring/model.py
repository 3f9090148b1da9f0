"""What this service talks about: signals and what was observed of them, baselines, versions, alarms, and the operator's policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from loopline_monitoring.detection.causes import Cause
from loopline_monitoring.detection.effects import Severity
from loopline_monitoring.detection.kinds import Kind, Value
from loopline_monitoring.detection.sketch import Summary
from loopline_monitoring.detection.windows import Verdict

__all__ = ["Alarm", "Cause", "Kind", "Severity", "Summary", "Value", "Verdict"]

WEEK_S = 7 * 86_400.0
CANARY = "canary.similarity"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One series of values. `slice`: a group as name=value, "" for all traffic."""

    tenant: str
    collection: str
    slice: str
    signal: str

    @property
    def id(self) -> str:
        """For a database."""
        return "\x1f".join((self.tenant, self.collection, self.slice, self.signal))

    @classmethod
    def of(cls, identity: str) -> "Key":
        """Back from `id`."""
        return cls(*identity.split("\x1f"))


@dataclass(frozen=True, slots=True)
class Observed:
    """What one fact tells of its signals. Times in seconds since 1970: when it happened, and when the line was told."""

    id: str
    tenant: str
    collection: str
    at: float
    told_at: float
    # The answer, query, prediction or document it is about.
    about: str
    values: Mapping[str, Value]
    # Groups it belongs to, as name=value.
    slices: tuple[str, ...] = ()
    # What made it: prompt, model, index, ...
    versions: Mapping[str, str] = field(default_factory=dict)
    question: str = ""
    # Revisions of the documents cited, whose age is a signal.
    revisions: tuple[int, ...] = ()
    # The place in the stream of document facts, 0 for other facts; with `told_at` it dates revisions.
    revision: int = 0
    # Of a document's bytes, to know it again.
    fingerprint: str = ""
    # The verdict on a canary's answer; questions of canaries themselves are no traffic.
    canary: bool = False
    # An answer that was given to a canary.
    canary_given: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A closed window of a series. Times are of its first and last value."""

    begin: float
    end: float
    summary: Summary
    verdict: Verdict | None
    after_gap: bool


@dataclass(frozen=True, slots=True)
class Version:
    """A version first seen; `collection` "" where it serves all."""

    tenant: str
    collection: str
    what: str
    value: str
    before: str
    at: float
    intended: bool = False


@dataclass(frozen=True, slots=True)
class Intention:
    """A change that is meant; empty `what` or `value`: any."""

    tenant: str
    collection: str
    what: str
    value: str
    reason: str
    until: float
    by: str
    at: float

    def meets(self, version: Version) -> bool:
        """Whether this is the change meant."""
        return (
            self.tenant == version.tenant
            and self.collection in ("", version.collection)
            and self.what in ("", version.what)
            and self.value in version.value
            and version.at <= self.until
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Before and after a change that was meant: one series, the old baseline against the new one."""

    key: Key
    version: Version
    before: Summary
    after: Summary
    verdict: Verdict
    at: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that differs from what was agreed. `moved`: the slices that did, "" for all traffic."""

    alarm_id: str
    tenant: str
    collection: str
    signal: str
    # "" for drift, else the limit that is crossed.
    threshold: str
    severity: Severity
    effect: float
    test: str
    p: float
    told: str
    moved: tuple[str, ...]
    baseline: str
    baseline_version: int
    since: float
    opened_at: float
    update: int = 0
    causes: tuple[Cause, ...] = ()
    examples: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    cleared_at: float = 0.0
    cleared_because: str = ""
    by: str = ""
    reason: str = ""
    muted_until: float = 0.0

    @property
    def open(self) -> bool:
        """Whether it is not over."""
        return not self.cleared_at


class Saying(StrEnum):
    """What of an alarm is to be said."""

    DETECTED = "detected"
    CLEARED = "cleared"
    # A person did something; nobody is woken.
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm opened, got graver, or ended."""

    saying: Saying
    alarm: Alarm


class Statistic(StrEnum):
    """What of a window a threshold looks at."""

    MEAN = "mean"
    P05 = "p05"
    P50 = "p50"
    P95 = "p95"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A plain limit on a signal, beside the tests; `collection` "" means all."""

    signal: str
    statistic: Statistic
    above: float | None = None
    below: float | None = None
    collection: str = ""

    @property
    def told(self) -> str:
        """For people: mean above 0.2"""
        return (
            f"{self.statistic} above {self.above:g}"
            if self.above is not None
            else f"{self.statistic} below {self.below:g}"
        )


@dataclass(frozen=True, slots=True)
class Canaries:
    """Questions that are always asked again, of one tenant and collection."""

    tenant: str
    collection: str
    questions: tuple[str, ...]
    every_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alarms go: loopline (signed JSON), alertmanager or slack."""

    name: str
    kind: str
    url: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """How the windows of a signal open and close: by count, so many values; by time, so many seconds."""

    by: str
    size: float
    gap_s: float
    lateness_s: float


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decides; see the README for each."""

    false_alarms_per_week: float = 1.0
    # count: a window closes after `window_size` values; time: after so many seconds.
    window_by: str = "count"
    window_size: float = 50.0
    # Signals with windows of their own size.
    window_sizes: tuple[tuple[str, float], ...] = ()
    # A silence of so long closes a window; what was in it is compared when it is enough.
    gap_s: float = 3600.0
    # A value that is told so long after its window's end is late, and left out.
    lateness_s: float = 60.0
    # The first so many values become the first baseline; 0: only people agree on one.
    learn: int = 200
    # Fewer values are no baseline.
    least: int = 40
    calm_windows: int = 2
    slices: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    canaries: tuple[Canaries, ...] = ()
    webhooks: tuple[Webhook, ...] = ()

    def frame(self, signal: str) -> Frame:
        """How the windows of a signal open and close. A window of canaries is one round of them."""
        sizes = dict(self.window_sizes)
        size = sizes.get(signal, self.window_size)
        if signal == CANARY and self.window_by == "count" and signal not in sizes and self.canaries:
            size = float(max(len(c.questions) for c in self.canaries))
        return Frame(self.window_by, size, self.gap_s, self.lateness_s)

    def learning(self, signal: str) -> int:
        """How many values become the first baseline; canaries come slowly, so for them the fewest that can."""
        return min(self.learn, self.least) if signal == CANARY else self.learn
