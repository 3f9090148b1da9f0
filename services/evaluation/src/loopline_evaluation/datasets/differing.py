"""What two versions do not have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

from loopline_evaluation.datasets.rows import Row, content


@dataclass(frozen=True, slots=True)
class Changed:
    """A row that is in both, with the names of what differs."""

    before: Row
    after: Row
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """By id, in the order of the ids."""

    added: tuple[Row, ...]
    removed: tuple[Row, ...]
    changed: tuple[Changed, ...]
    same: int


def diff(before: Sequence[Row], after: Sequence[Row]) -> Diff:
    """From `before` to `after`."""
    old, new = {row.id: row for row in before}, {row.id: row for row in after}
    both = sorted(old.keys() & new.keys())
    changed = tuple(
        Changed(old[key], new[key], _fields(old[key], new[key])) for key in both if old[key].hash != new[key].hash
    )
    return Diff(
        tuple(new[key] for key in sorted(new.keys() - old.keys())),
        tuple(old[key] for key in sorted(old.keys() - new.keys())),
        changed,
        len(both) - len(changed),
    )


def _fields(before: Row, after: Row) -> tuple[str, ...]:
    one, other = content(before), content(after)
    return tuple(sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)))
