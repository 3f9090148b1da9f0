"""Series that the same facts tell are worked in one turn, as long as nothing but that happens to them; the rest goes one by one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loopline_monitoring.app.series import CEILING, Series
from loopline_monitoring.detection.kinds import Kind, Value
from loopline_monitoring.detection.together import MOST_WAITING, Together
from loopline_monitoring.model import Frame, Key

Shape = tuple[str, ...]
# So many facts of one shape in a row are worth a group; more, each time that one did not last.
PATIENCE, MOST_PATIENCE, LASTS = 8, 1024, 4
MOST_SHAPES = 64
# Rounding may differ by less.
NEARLY = 1 - 1e-9


@dataclass(slots=True, eq=False)
class Watched:
    """A series and how its windows close."""

    key: Key
    series: Series
    frame: Frame
    group: "Group | None" = None


class Group:
    """Steady series of one shape of facts. What they were told waits here until `flush`."""

    def __init__(self, shape: Shape, members: list[Watched], changed: set[Key]) -> None:
        self.shape, self._changed = shape, changed
        # Numbers before names, as the arrays want them.
        self.members = sorted(members, key=lambda one: (one.series.kind is not Kind.NUMERIC, one.key))
        self.places = {one.key.signal: place for place, one in enumerate(self.members)}
        self.lasted, self.touched = 0, False
        self._signals = list(self.places)
        # What such facts tell besides, one by one.
        self.others = [signal for signal in shape if signal not in self.places]
        self._together = Together([one.series.sequential for one in self.members if one.series.sequential])
        self._rooms = [one.series.room(one.frame) for one in self.members]
        self._quiet_since = min(one.series.last_at for one in self.members)
        self._gap_s = self.members[0].frame.gap_s
        for one in self.members:
            one.group = self

    def take(self, values: Mapping[str, Value], at: float, about: str, limit: float) -> list[str] | None:
        """One fact; the signals to be looked at, as they alarm or fill a window. None, and nothing done, when it must go one by one."""
        if at - self._quiet_since > self._gap_s:
            return None
        if self._together.waiting >= MOST_WAITING:
            self.flush()
        evidence = self._together.bet([values[signal] for signal in self._signals], at, about)
        if evidence is None:
            return None
        self.lasted, self.touched = self.lasted + 1, True
        self._quiet_since = max(self._quiet_since, at)
        waiting = self._together.waiting
        if min(self._rooms) > waiting and evidence.max() < limit * NEARLY:
            return []
        due = [
            signal
            for signal, room, found in zip(self._signals, self._rooms, evidence.tolist(), strict=True)
            if room <= waiting or found >= limit * NEARLY
        ]
        for place in (self.places[signal] for signal in due):
            self._given(place)
            self._together.cap(place, CEILING * limit)
        return due

    def closed(self, signal: str) -> None:
        """A window of it was closed, or none was full."""
        place = self.places[signal]
        one = self.members[place]
        self._rooms[place] = self._together.waiting + one.series.room(one.frame)

    def flush(self) -> None:
        """Gives each series what waits for it."""
        if not self.touched:
            return
        self.touched = False
        self._changed.update(one.key for one in self.members)
        for place in range(len(self.members)):
            self._given(place)
        self._together.emptied()
        self._rooms = [one.series.room(one.frame) for one in self.members]

    @property
    def steady(self) -> bool:
        """Whether all still are."""
        return all(one.series.steady(one.frame) for one in self.members)

    def _given(self, place: int) -> None:
        one = self.members[place]
        one.series.extend(*self._together.taken(place), one.frame)


@dataclass(slots=True)
class Row:
    """The series of one tenant, collection and slice, and their groups by shape."""

    # The keys whose state is to be written.
    changed: set[Key]
    watched: dict[str, Watched] = field(default_factory=dict)
    groups: dict[Shape, Group] = field(default_factory=dict)
    _seen: dict[Shape, int] = field(default_factory=dict)
    _patience: int = PATIENCE

    def grouped(self, shape: Shape) -> Group | None:
        """The group of these facts; it is made when they came often enough."""
        group = self.groups.get(shape)
        if group is not None:
            return group
        if len(self._seen) >= MOST_SHAPES:
            self._seen.clear()
        seen = self._seen[shape] = self._seen.get(shape, 0) + 1
        if seen < self._patience:
            return None
        self._seen.clear()
        members = [self.watched[signal] for signal in shape if signal in self.watched]
        steady = [one for one in members if one.series.steady(one.frame)]
        for other in {id(one.group): one.group for one in steady if one.group}.values():
            self.dissolve(other)
        if len(steady) > 1:
            group = self.groups[shape] = Group(shape, steady, self.changed)
        return group

    def dissolve(self, group: Group) -> None:
        """Its series go one by one from now on."""
        group.flush()
        for one in group.members:
            one.group = None
        del self.groups[group.shape]
        if group.lasted < LASTS * self._patience:
            self._patience = min(MOST_PATIENCE, 2 * self._patience)
