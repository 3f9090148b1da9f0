"""One promise over all signals: at most so many false alarms a week, on average, set by one number.

Expectations add up whatever depends on what. A window test that alarms at p <= level does so falsely level times a window; a sequential test
that alarms at 1 / level weeks does so at most level times a week (`sequential`). Half of the budget goes to either kind, an equal part to each
signal. No p-value is corrected after the fact, and a signal that appears or goes changes the parts from that moment on.
"""

from dataclasses import dataclass
from typing import Final

from loopline_runtime.errors import Invalid

_WINDOWS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Promise:
    """False alarms a week that the operator accepts over everything watched."""

    per_week: float

    def __post_init__(self) -> None:
        if not 0.0 < self.per_week <= 10_000:
            raise Invalid("the budget of false alarms a week must be above 0 and at most 10000", field="per_week")

    def level_sequential(self, keys: int) -> float:
        """For each of so many signals, in alarms a week: reject at evidence >= 1 / level."""
        return (1 - _WINDOWS) * self.per_week / max(1, keys)

    def level_window(self, keys: int, windows_per_week: float) -> float:
        """For each window of each signal: reject at p <= level."""
        return min(0.05, _WINDOWS * self.per_week / max(1, keys) / max(1.0, windows_per_week))
