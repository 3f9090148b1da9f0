"""Which versions made what is seen. One that is seen first, or again after long, is an event; one that was meant is no alarm."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgpack

from loopline_monitoring.app.plain import INTENTIONS, VERSIONS
from loopline_monitoring.model import Intention, Observed, Version

# A version that made none of so many facts before is seen anew.
FORGOTTEN_AFTER = 200
MOST_KEPT = 200
# A change that was seen so lately can still be announced as meant.
MEANT_LATER_S = 86_400.0


class Versions:
    """What made the facts of each tenant and collection."""

    def __init__(self) -> None:
        # (tenant, collection, what) -> value -> number of the fact that it made last; and how many facts there were.
        self._seen: dict[tuple[str, str, str], dict[str, int]] = {}
        self._count: dict[tuple[str, str, str], int] = {}
        self._current: dict[tuple[str, str, str], str] = {}
        self.events: list[Version] = []
        self.intentions: list[Intention] = []

    def seen(self, observed: Observed) -> Iterator[Version]:
        """The versions that are new with this fact; the very first of a kind is none."""
        for what, value in observed.versions.items():
            place = (observed.tenant, observed.collection, what)
            known = self._seen.setdefault(place, {})
            number = self._count[place] = self._count.get(place, 0) + 1
            before = self._current.get(place, "")
            new = bool(known) and number - known.get(value, -FORGOTTEN_AFTER) > FORGOTTEN_AFTER
            known[value] = number
            self._current[place] = value
            if len(known) > MOST_KEPT:
                del known[min(known, key=lambda name: known[name])]
            if new:
                event = Version(observed.tenant, observed.collection, what, value, before, observed.at)
                event = replace(event, intended=any(intention.meets(event) for intention in self.intentions))
                self.events = [*self.events, event][-MOST_KEPT:]
                yield event

    def intend(self, intention: Intention) -> list[Version]:
        """Notes it; the versions it means that were seen lately."""
        alike = (intention.tenant, intention.collection, intention.what, intention.value)
        others = [i for i in self.intentions if (i.tenant, i.collection, i.what, i.value) != alike]
        self.intentions = [*(i for i in others if i.until > intention.at), intention]
        met = [
            event
            for event in self.events
            if intention.meets(event) and not event.intended and event.at > intention.at - MEANT_LATER_S
        ]
        self.events = [replace(event, intended=True) if event in met else event for event in self.events]
        return met

    def of(self, tenant: str, collection: str = "") -> list[Version]:
        """The events of a tenant, oldest first."""
        return [e for e in self.events if e.tenant == tenant and collection in ("", e.collection)]

    def before(self, tenant: str, collection: str, at: float) -> list[Version]:
        """The events that may have caused what began by then, on purpose or not."""
        return [
            event
            for event in self.events
            if event.tenant == tenant and event.collection in ("", collection) and event.at <= at
        ]

    def to_bytes(self) -> bytes:
        """All of it."""
        seen = [[*place, known, self._count[place], self._current[place]] for place, known in self._seen.items()]
        packed: bytes = msgpack.packb([1, seen, VERSIONS.plain(self.events), INTENTIONS.plain(self.intentions)])
        return packed

    def restore(self, data: bytes) -> None:
        """Back."""
        _, seen, events, intentions = msgpack.unpackb(data)
        for tenant, collection, what, known, count, current in seen:
            place = (tenant, collection, what)
            self._seen[place], self._count[place], self._current[place] = dict(known), count, current
        self.events, self.intentions = VERSIONS.of_plain(events), INTENTIONS.of_plain(intentions)

    def current(self, tenant: str, collection: str) -> Mapping[str, str]:
        """What makes the facts now."""
        return {what: value for (t, c, what), value in self._current.items() if (t, c) == (tenant, collection)}
