"""A figure never comes without its interval and the number of things it stands on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """`value` with an interval of the given `level` (0.95 is 95 %), from `count` units (rows, items, trials)."""

    value: float
    low: float
    high: float
    count: int
    level: float = 0.95


@dataclass(frozen=True)
class Difference:
    """What `after` has over `before`, row by row: `effect` is the mean of after minus before, in the metric's unit.

    `p` is two-sided, of the hypothesis that there is no difference. `count` pairs were compared; `unpaired` rows had a value
    on one side only, or on neither, and took no part.
    """

    before: float
    after: float
    effect: float
    low: float
    high: float
    p: float
    count: int
    unpaired: int
    level: float = 0.95
