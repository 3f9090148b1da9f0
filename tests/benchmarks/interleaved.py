"""Ratios measured in interleaved rounds: the machine is shared and noisy, so ours and theirs take turns."""

import json
import statistics
import sys
from collections.abc import Sequence


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`median (lowest - highest)`."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} - {max(values):.{digits}f})"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def report(name: str, goal: str, **figures: str) -> None:
    """One line a person reads and a program parses."""
    sys.stdout.write(json.dumps({"figure": name, "goal": goal, **figures}) + "\n")
    sys.stdout.flush()
