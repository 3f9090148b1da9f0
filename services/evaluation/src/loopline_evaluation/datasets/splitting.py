"""Parts of a dataset that do not leak: rows that ask nearly the same thing stay together.

Near-duplicates are found by MinHash over character 4-grams of the question (A. Broder, 1997; through datasketch, which is numpy and scipy only)
and confirmed by their true Jaccard similarity.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

from loopline_evaluation.datasets.rows import Row
from loopline_runtime.errors import Invalid

ALIKE = 0.6
_PERMUTATIONS, _GRAM = 128, 4
_NOT_WORD = re.compile(r"\W+")


def alike(rows: Sequence[Row], threshold: float = ALIKE) -> list[tuple[str, str, float]]:
    """Pairs of ids whose questions are near-duplicates, with their Jaccard similarity, 0 to 1."""
    from datasketch import MinHash, MinHashLSH

    grams = {row.id: _grams(row.question) for row in rows}
    # A lower threshold than asked for lets few true pairs slip; what is found is measured.
    index = MinHashLSH(threshold=threshold * 0.75, num_perm=_PERMUTATIONS)
    found: list[tuple[str, str, float]] = []
    for row in rows:
        sketch = MinHash(num_perm=_PERMUTATIONS, seed=1)
        sketch.update_batch([gram.encode() for gram in grams[row.id]])
        for other in index.query(sketch):
            similarity = _jaccard(grams[other], grams[row.id])
            if similarity >= threshold:
                found.append((other, row.id, similarity))
        index.insert(row.id, sketch)
    return found


def split(rows: Sequence[Row], shares: Mapping[str, float], seed: int = 0) -> dict[str, list[Row]]:
    """The rows in parts of about these shares; near-duplicates and rows about one reference passage are in one part.

    Whole groups are dealt, largest first, each to the part that lacks most; ties by hash of seed and ids, so the same call gives the same parts.
    """
    if not shares or any(share <= 0 for share in shares.values()):
        raise Invalid("a split names its parts with positive shares, for example train=0.8 test=0.2", field="shares")
    whole = sum(shares.values())
    wanted = {name: share / whole * len(rows) for name, share in shares.items()}
    parts: dict[str, list[Row]] = {name: [] for name in shares}
    groups = sorted(grouped(rows), key=lambda group: (-len(group), _order(seed, group)))
    for group in groups:
        neediest = max(parts, key=lambda name: (wanted[name] - len(parts[name])) / wanted[name])
        parts[neediest] += group
    empty = [name for name, part in parts.items() if not part]
    if empty:
        raise Invalid(
            f"{len(rows)} rows fall into {len(groups)} groups that must stay together; none is left for {', '.join(empty)}",
            reason="TOO_FEW_ROWS",
        )
    return parts


def grouped(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that must not be parted: connected by near-duplicate questions or by a common reference passage."""
    above = {row.id: row.id for row in rows}

    def top(key: str) -> str:
        while above[key] != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    for one, other, _ in alike(rows):
        above[top(one)] = top(other)
    first: dict[str, str] = {}
    for row in rows:
        for passage in row.passages:
            name = passage.chunk or passage.text
            if name:
                above[top(row.id)] = top(first.setdefault(name, row.id))
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(top(row.id), []).append(row)
    return list(groups.values())


def _grams(text: str) -> frozenset[str]:
    plain = f" {_NOT_WORD.sub(' ', text.lower()).strip()} "
    return frozenset(plain[place : place + _GRAM] for place in range(max(1, len(plain) - _GRAM + 1)))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _order(seed: int, group: Sequence[Row]) -> str:
    return hashlib.sha256(f"{seed}/{min(row.id for row in group)}".encode()).hexdigest()
