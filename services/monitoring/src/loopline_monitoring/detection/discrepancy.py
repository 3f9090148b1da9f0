"""Maximum mean discrepancy of two samples of vectors (Gretton and others 2012), with a p-value that needs no permutations.

The cross statistic of Shekhar, Kim and Ramdas (2022, "A permutation-free kernel two-sample test"): one half of each sample says in what
direction the two differ, the other half is projected on it, and the difference of means is studentized, so that it is normal when nothing
differs. The kernel is Gaussian, its width the median distance.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import stdtr

from loopline_monitoring.detection.vectors import Vector

_Numbers = NDArray[np.float64]
# Of each sample so many tell the median distance well enough.
_MEASURED: Final = 100


def discrepancy(before: Vector, after: Vector, worth_before: float, worth_after: float) -> tuple[float, float]:
    """p of two samples [n, d], [m, d] being alike, and by how many standard deviations they differ where they differ most.

    Each sample is worth so many independent vectors.
    """
    width = _median(np.vstack((before[:_MEASURED], after[:_MEASURED])))
    found = [_half(before, after, width, first) for first in (0, 1)]
    # Each half shows the other where to look: two looks, and the p of both together.
    results = []
    for there, here in found:
        worth = (worth_before / 2, worth_after / 2)
        error = math.sqrt(there.var(ddof=1) / worth[0] + here.var(ddof=1) / worth[1])
        apart = float(here.mean() - there.mean())
        pooled = math.sqrt((there.var(ddof=1) + here.var(ddof=1)) / 2)
        freedom = max(2.0, worth[0] + worth[1] - 2)
        p = float(stdtr(freedom, -apart / error)) if error > 0 else float(apart <= 0)
        results.append((p, apart / pooled if pooled > 0 else 0.0))
    p = min(1.0, 2 * min(p for p, _ in results))
    return p, max(0.0, sum(size for _, size in results) / 2)


def _half(before: Vector, after: Vector, width: float, first: int) -> tuple[_Numbers, _Numbers]:
    """Both other halves along the direction that the halves from `first` on show."""
    new, old = after[first::2], before[first::2]
    there, here = (
        _mean_kernel(points, new, width) - _mean_kernel(points, old, width)
        for points in (before[1 - first :: 2], after[1 - first :: 2])
    )
    return there, here


def _mean_kernel(points: Vector, centres: Vector, width: float) -> _Numbers:
    mean: _Numbers = np.exp(-_squares(points, centres) / (2 * width)).mean(axis=1)
    return mean


def _squares(points: Vector, centres: Vector) -> _Numbers:
    """scipy's loops: for so few vectors the threads of a matrix product cost more than the product."""
    apart: _Numbers = cdist(points, centres, "sqeuclidean")
    return apart


def _median(points: Vector) -> float:
    apart = _squares(points, points)
    return float(np.median(apart[np.triu_indices(len(points), 1)])) or 1.0
