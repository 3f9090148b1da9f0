"""The most frequent names of a stream in a fixed number of places: SpaceSaving (Metwally, Agrawal, El Abbadi 2005).

A name seen more than 1/PLACES of the time surely has a place. Counts given out are lower bounds, so that a stream of a million different names
shows none of them as frequent.
"""

from typing import Any, Final

PLACES: Final = 48


class Frequent:
    """Names with how often each was seen at least."""

    __slots__ = ("counts", "errors")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        # How much of a count may belong to names that lost this place.
        self.errors: dict[str, int] = {}

    def add(self, name: str) -> None:
        """One more sight of a name."""
        counts = self.counts
        if name in counts:
            counts[name] += 1
        elif len(counts) < PLACES:
            counts[name] = 1
        else:
            least = min(counts, key=counts.__getitem__)
            inherited = counts.pop(least)
            self.errors.pop(least, None)
            counts[name] = inherited + 1
            self.errors[name] = inherited

    def surely(self) -> dict[str, int]:
        """At least so often; most frequent first, then by name."""
        sure = {name: count - self.errors.get(name, 0) for name, count in self.counts.items()}
        return dict(sorted(sure.items(), key=lambda item: (-item[1], item[0])))

    def merged(self, other: "Frequent") -> "Frequent":
        """Both streams; the less frequent lose their places."""
        sums = {name: self.counts.get(name, 0) + other.counts.get(name, 0) for name in {**self.counts, **other.counts}}
        made = Frequent()
        made.counts = dict(sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:PLACES])
        made.errors = {
            name: lost for name in made.counts if (lost := self.errors.get(name, 0) + other.errors.get(name, 0))
        }
        return made

    def to_plain(self) -> list[Any]:
        """For a message."""
        return [self.counts, self.errors]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Frequent":
        """What `to_plain` gave."""
        made = cls()
        made.counts, made.errors = dict(plain[0]), dict(plain[1])
        return made
