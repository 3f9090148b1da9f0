"""Signals that the same facts tell are worked in one turn; nobody can tell from what comes out."""

from collections.abc import Iterator

import numpy as np
import pytest

from loopline_monitoring.app import grouping
from loopline_monitoring.app.watching import Watching
from loopline_monitoring.detection import Value
from loopline_monitoring.model import Change, Observed, Policy

POLICY = Policy(window_size=40, learn=120, slices=("language",))


def story(length: int = 700) -> Iterator[Observed]:
    """Numbers, a rate, names, a vector; from 400 on some of them shift, some stay away, one clock runs backwards, and a silence comes."""
    chance = np.random.default_rng(1)
    for number in range(length):
        late = 400 <= number < 560
        values: dict[str, Value] = {f"feature.{k}": float(chance.normal() + (late and k == 2)) for k in range(5)}
        values["feature.rate"] = float(chance.random() < (0.5 if late else 0.1))
        values["feature.plan"] = str(chance.choice(["basic", "gold", *(["new"] if late else [])]))
        values["feature.text"] = (chance.normal(size=16) + 3 * (number % 2)).astype(np.float32)
        if late and number % 7 == 0:
            values["feature.3"] = None
        if number % 90 == 50:
            del values["feature.4"]
        at = 1e9 + number * 5 - (30 if number % 50 == 20 else 0) + (10_000 if number >= 620 else 0)
        yield Observed(
            f"e{number}", "acme", "churn", at, at + 1, f"p{number}", values, slices=(f"language={'de' if number % 3 else 'en'}",)
        )  # fmt: skip


def watched(killed_at: int = -1) -> tuple[list[Change], dict[tuple[str, str], bytes | None], int]:
    """Changes, what is kept in the end, and how many facts were worked in one turn."""
    watching, changes, together = Watching(POLICY), list[Change](), 0
    kept: dict[tuple[str, str], bytes | None] = {}
    for number, observed in enumerate(story()):
        changes += watching.observe(observed)
        together += sum(group.lasted > 0 for row in watching._rows.values() for group in row.groups.values())
        if number == killed_at:
            kept |= watching.kept()[0]
            watching = Watching(POLICY)
            watching.restore(kept)
    return changes, kept | watching.kept()[0], together


def test_worked_in_one_turn_or_one_by_one_all_is_the_same_to_the_last_digit(monkeypatch: pytest.MonkeyPatch):
    changes, kept, together = watched()
    again, kept_again, _ = watched(killed_at=470)
    monkeypatch.setattr(grouping.Row, "grouped", lambda row, shape: None)
    one_by_one, kept_one_by_one, alone = watched()
    assert together > 500
    assert alone == 0
    assert {change.alarm.signal for change in changes} >= {"feature.2", "feature.rate"}
    assert changes == one_by_one == again
    assert kept == kept_one_by_one
    assert kept_again.keys() == kept.keys()
    assert all(kept_again[name] == data for name, data in kept.items() if name[0] == "series")
