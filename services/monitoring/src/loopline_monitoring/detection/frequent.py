"""The names of a stream in a fixed number of bytes.

Up to PLACES different names are counted one by one, exactly. A stream with more of them keeps the most frequent to show (SpaceSaving: Metwally,
Agrawal, El Abbadi 2005; counts are lower bounds, so that of a million different names none seems frequent), and is compared by exact counts of
GROUPS, into which all names are put by their hash.
"""

import zlib
from array import array
from functools import lru_cache
from typing import Any, Final

PLACES: Final = 48
GROUPS: Final = 24


@lru_cache(4096)
def group(name: str) -> int:
    """Always the same group for a name."""
    return zlib.crc32(name.encode(errors="replace")) % GROUPS


class Frequent:
    """Names with how often each was seen at least, and all names by group."""

    __slots__ = ("counts", "errors", "groups", "whole")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        # How much of a count may belong to names that lost this place.
        self.errors: dict[str, int] = {}
        self.groups = array("Q", bytes(8 * GROUPS))
        # Whether every name ever seen has its place.
        self.whole = True

    def add(self, name: str) -> None:
        """One more sight of a name."""
        counts = self.counts
        self.groups[group(name)] += 1
        if name in counts:
            counts[name] += 1
        elif len(counts) < PLACES:
            counts[name] = 1
        else:
            self.whole = False
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
        made.groups = array("Q", [mine + theirs for mine, theirs in zip(self.groups, other.groups, strict=True)])
        made.whole = self.whole and other.whole and len(sums) <= PLACES
        return made

    def to_plain(self) -> list[Any]:
        """For a message."""
        return [self.counts, self.errors, self.groups.tobytes(), self.whole]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Frequent":
        """What `to_plain` gave."""
        made = cls()
        counts, errors, groups, made.whole = plain
        made.counts, made.errors, made.groups = dict(counts), dict(errors), array("Q", groups)
        return made


# Of signals that are no names; never added to.
NO_NAMES: Final = Frequent()
