"""Two runs over the same rows: what differs, by how much, how surely, and in which rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from loopline_evaluation.datasets.choosing import slices
from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.runs.results import Results, demand_comparable
from loopline_runtime.errors import Invalid
from loopline_statistics import Difference, benjamini_hochberg, detectable_effect, holm, paired_bootstrap

LEVEL, RESAMPLES, FEWEST_IN_SLICE, MOST_SLICES = 0.95, 10_000, 5, 200


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric over all rows (`slice` empty) or some. `p`: corrected; `seen`: better, worse, or "" when the data do not tell.

    `detectable`: the smallest effect that so many rows of such spread show four times out of five.
    """

    metric: str
    slice: str
    difference: Difference
    p: float
    lower_is_better: bool
    seen: str
    detectable: float


@dataclass(frozen=True, slots=True)
class Moved:
    """A row and how its value changed; the texts are those of the first trials."""

    row: Row
    metric: str
    before: float
    after: float
    text_before: str
    text_after: str


@dataclass(frozen=True)
class Comparison:
    """`changed`: what made the answers, by kind, where it is not the same in both."""

    before: Results
    after: Results
    compared: tuple[Compared, ...]
    moved: tuple[Moved, ...]
    changed: Mapping[str, tuple[str, str]]
    level: float = LEVEL


def compare(
    before: Results,
    after: Results,
    *,
    metrics: Sequence[str] = (),
    slice_by: Sequence[str] = (),
    most_moved: int = 10,
    level: float = LEVEL,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """From `before` to `after`, over the rows that both have; trials of a row are averaged first, so rows are what is drawn.

    Over all rows p values are corrected by Holm (none is wrong, with probability `level`), over slices by Benjamini and Hochberg (few of those
    shown are wrong): slices are for finding where to look.
    """
    demand_comparable(before, after)
    shared = [name for name in after.measured if name in before.measured and (not metrics or name in metrics)]
    missing = [name for name in metrics if name not in shared]
    if missing or not shared:
        raise Invalid(f"not in both runs: {', '.join(missing) or 'any metric'}", field="metrics")
    ids = [row_id for row_id in after.rows if row_id in before.rows]
    parts = slices([after.rows[row_id] for row_id in ids], slice_by)
    if len(parts) > MOST_SLICES:
        raise Invalid(f"{len(parts)} slices; at most {MOST_SLICES}: slice by less", field="slice_by")
    whole = _compared(before, after, shared, {"": ids}, level, seed, resamples)
    some = {name: [row_id for row_id in ids if row_id in rows] for name, rows in parts.items()}
    sliced = _compared(before, after, shared, some, level, seed, resamples)
    compared = [
        *_corrected(whole, holm([one.difference.p for one in whole]), level),
        *_corrected(sliced, benjamini_hochberg([one.difference.p for one in sliced]), level),
    ]
    moved = [one for name in shared for one in _moved(before, after, name, ids, most_moved)]
    return Comparison(before, after, tuple(compared), tuple(moved), changed(before, after), level)


def changed(before: Results, after: Results) -> dict[str, tuple[str, str]]:
    """What made the answers, where it differs."""
    kinds = sorted({*before.made, *after.made})
    told = {kind: (_names(before.made.get(kind, {})), _names(after.made.get(kind, {}))) for kind in kinds}
    return {kind: pair for kind, pair in told.items() if pair[0] != pair[1]}


def _compared(
    before: Results,
    after: Results,
    metrics: Sequence[str],
    parts: Mapping[str, Sequence[str]],
    level: float,
    seed: int,
    resamples: int,
) -> list[Compared]:
    found = []
    for name in metrics:
        for part, ids in parts.items():
            first, second = before.measured[name].means(ids), after.measured[name].means(ids)
            apart = [two - one for one, two in zip(first, second, strict=True) if not math.isnan(two - one)]
            if not apart or (part and len(apart) < FEWEST_IN_SLICE):
                continue
            difference = paired_bootstrap(first, second, level=level, seed=seed, resamples=resamples)
            deviation = math.sqrt(sum((one - difference.effect) ** 2 for one in apart) / max(1, len(apart) - 1))
            least = detectable_effect(deviation, len(apart), level=level)
            lower = after.measured[name].lower_is_better
            found.append(Compared(name, part, difference, difference.p, lower, "", least))
    return found


def _corrected(compared: Sequence[Compared], p_values: Sequence[float], level: float) -> list[Compared]:
    return [
        replace(one, p=p, seen=_seen(one) if p < 1 - level else "") for one, p in zip(compared, p_values, strict=True)
    ]


def _seen(one: Compared) -> str:
    return "better" if (one.difference.effect > 0) != one.lower_is_better else "worse"


def _moved(before: Results, after: Results, name: str, ids: Sequence[str], most: int) -> list[Moved]:
    one, other = before.measured[name], after.measured[name]
    pairs = [(row_id, one.mean(row_id), other.mean(row_id)) for row_id in ids]
    differing = [pair for pair in pairs if not math.isnan(pair[1] - pair[2]) and pair[1] != pair[2]]
    largest = sorted(differing, key=lambda pair: (-abs(pair[2] - pair[1]), pair[0]))[:most]
    return [
        Moved(after.rows[row_id], name, low, high, before.texts[row_id][0], after.texts[row_id][0])
        for row_id, low, high in largest
    ]


def _names(counts: Mapping[str, int]) -> str:
    return ", ".join(sorted(counts))
