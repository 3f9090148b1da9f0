"""How far raters agree beyond chance.

Own code, a page: the `krippendorff` package is under the GPL and knows no intervals; scikit-learn is 40 MB for a kappa.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from loopline_statistics.bootstrap import item_interval
from loopline_statistics.estimates import Estimate

Weights = Literal["none", "linear", "quadratic"]
Scale = Literal["nominal", "ordinal", "interval"]
Matrix = NDArray[np.float64]


def cohen_kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    *,
    order: Sequence[Hashable] | None = None,
    weights: Weights = "none",
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Estimate | None:
    """Two raters, one label per item and rater; the interval is by bootstrap over items (J. Cohen, 1960; weighted, 1968).

    `order` lists all labels from low to high, which weights need. None where kappa is not defined: no items, or both raters
    always say one and the same thing.
    """
    if len(first) != len(second):
        raise ValueError(f"two raters need the same items, not {len(first)} and {len(second)}")
    if weights != "none" and order is None:
        raise ValueError("weights need the order of the labels")
    labels = list(order) if order is not None else list(dict.fromkeys([*first, *second]))
    place = {label: number for number, label in enumerate(labels)}
    unknown = [label for label in [*first, *second] if label not in place]
    if unknown:
        raise ValueError(f"label {unknown[0]!r} is not among {labels}")
    ones, others = np.array([place[x] for x in first], int), np.array([place[x] for x in second], int)
    away = np.abs(np.subtract.outer(np.arange(len(labels)), np.arange(len(labels)))).astype(float)
    cost = {"none": (away > 0).astype(float), "linear": away, "quadratic": away**2}[weights]

    def kappa(items: NDArray[np.int64]) -> float | None:
        table = np.zeros_like(cost)
        np.add.at(table, (ones[items], others[items]), 1.0 / len(items))
        chance = float((np.outer(table.sum(axis=1), table.sum(axis=0)) * cost).sum())
        return 1 - float((table * cost).sum()) / chance if chance > 0 else None

    value = kappa(np.arange(len(first))) if len(first) else None
    if value is None:
        return None
    return item_interval(value, kappa, len(first), level=level, resamples=resamples, seed=seed)


def krippendorff_alpha(
    items: Sequence[Sequence[float | None]],
    *,
    scale: Scale = "nominal",
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Estimate | None:
    """Any number of raters, missing ratings allowed (None): one sequence of ratings per item, raters in any order.

    Labels are numbers; for a nominal scale any coding will do. Items with fewer than two ratings take no part. The interval
    is by bootstrap over items. None where alpha is not defined. Source: K. Krippendorff, "Computing Krippendorff's
    Alpha-Reliability", 2011 (coincidences and the differences of each scale).
    """
    rated = [[float(rating) for rating in item if rating is not None] for item in items]
    rated = [ratings for ratings in rated if len(ratings) > 1]
    values = sorted({rating for ratings in rated for rating in ratings})
    place = {value: number for number, value in enumerate(values)}
    coincidences = np.zeros((len(rated), len(values), len(values)))
    for number, ratings in enumerate(rated):
        counts = Counter(place[rating] for rating in ratings)
        for one, times in counts.items():
            for other, again in counts.items():
                pairs = times * (again - (one == other))
                coincidences[number, one, other] = pairs / (len(ratings) - 1)

    def alpha(drawn: NDArray[np.int64]) -> float | None:
        return _alpha(coincidences[drawn].sum(axis=0), np.array(values), scale)

    value = alpha(np.arange(len(rated))) if rated else None
    if value is None:
        return None
    return item_interval(value, alpha, len(rated), level=level, resamples=resamples, seed=seed)


def _alpha(coincidences: Matrix, values: Matrix, scale: Scale) -> float | None:
    totals = coincidences.sum(axis=0)
    count = totals.sum()
    distance = _distances(totals, values, scale)
    expected = float((np.outer(totals, totals) * distance).sum()) / (count - 1)
    return 1 - float((coincidences * distance).sum()) / expected if expected > 0 else None


def _distances(totals: Matrix, values: Matrix, scale: Scale) -> Matrix:
    if scale == "nominal":
        return 1.0 - np.eye(len(values))
    if scale == "interval":
        squares: Matrix = np.subtract.outer(values, values) ** 2
        return squares
    steps = np.array([(left + right) / 2 for left, right in pairwise(totals)])
    height = np.concatenate([[0.0], np.cumsum(steps)])
    apart: Matrix = np.subtract.outer(height, height) ** 2
    return apart
