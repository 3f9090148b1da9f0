"""All signals and how they stand. Synchronous and deterministic, so that live, restart and backtest are one code."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from loopline_monitoring.model import Key, Kind, Observed, Value, kind_of

SIGNAL = "signal"


@dataclass(slots=True)
class Watched:
    """One series of values: what was seen of it."""

    kind: Kind
    seen: int = 0
    missing: int = 0
    last_at: float = 0.0

    def add(self, value: Value, at: float) -> None:
        """One more value; what is not a number or of another kind counts as missing."""
        self.seen += 1
        if kind_of(value) is not self.kind or (isinstance(value, float) and not math.isfinite(value)):
            self.missing += 1
        self.last_at = max(self.last_at, at)


class Watching:
    """Every series, by its key."""

    def __init__(self) -> None:
        self.signals: dict[Key, Watched] = {}
        self._changed: set[Key] = set()

    def restore(self, records: Mapping[tuple[str, str], bytes | None]) -> None:
        """Takes up what was kept."""
        for (kind, _), body in records.items():
            if kind == SIGNAL and body is not None:
                told = json.loads(body)
                self.signals[Key(*told["key"])] = Watched(**{**told["watched"], "kind": Kind(told["watched"]["kind"])})

    def changes(self) -> dict[tuple[str, str], bytes | None]:
        """What is to be kept since this was asked last."""
        records: dict[tuple[str, str], bytes | None] = {
            (SIGNAL, "/".join((key.tenant, key.collection, key.slice, key.signal))): json.dumps(
                {"key": [key.tenant, key.collection, key.slice, key.signal], "watched": asdict(self.signals[key])}
            ).encode()
            for key in sorted(self._changed)
        }
        self._changed.clear()
        return records

    def observe(self, observed: Observed) -> None:
        """Adds what one fact tells to all series it belongs to."""
        for key, value in _series(observed):
            watched = self.signals.get(key)
            if watched is None:
                kind = kind_of(value)
                if kind is None:
                    continue
                watched = self.signals[key] = Watched(kind)
            watched.add(value, observed.at)
            self._changed.add(key)


def _series(observed: Observed) -> Iterator[tuple[Key, Value]]:
    for part in ("", *observed.slices):
        for signal, value in observed.values.items():
            yield Key(observed.tenant, observed.collection, part, signal), value
