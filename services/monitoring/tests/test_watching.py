"""The core alone: what was agreed, what differs, why, and when it is over. No clock, no chance, no bus."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from loopline_monitoring.app.diagnosis import over
from loopline_monitoring.app.recents import Recents
from loopline_monitoring.app.series import Closed, Series
from loopline_monitoring.app.watching import Watching
from loopline_monitoring.detection import Promise
from loopline_monitoring.model import Change, Intention, Key, Kind, Observed, Policy, Saying, Statistic, Threshold

POLICY = Policy(window_size=40, learn=120)
LENGTH = Key("acme", "manuals", "", "answer.length")


def answers(
    count: int, mean: float, *, start: int = 0, prompt: str = "p@1", every_s: float = 5.0, seed: int = 1
) -> Iterator[Observed]:
    chance = random.Random(seed)
    for number in range(start, start + count):
        at = 1_700_000_000 + number * every_s
        yield Observed(
            f"e{number}", "acme", "manuals", at, at + 1, f"a{number}",
            {"answer.length": chance.gauss(mean, 10.0)}, versions={"prompt": prompt}, question=f"question {number}?",
        )  # fmt: skip


def heard(watching: Watching, observed: Iterable[Observed]) -> list[Change]:
    return [change for one in observed for change in watching.observe(one)]


def test_without_drift_nobody_is_woken():
    watching = Watching(POLICY)
    assert heard(watching, answers(2000, 60)) == []
    assert watching.signals[LENGTH].baseline is not None
    assert watching.signals[LENGTH].last is not None


def test_a_shift_opens_one_alarm_that_names_the_prompt_and_closes_when_it_is_over():
    watching = Watching(POLICY)
    assert heard(watching, answers(400, 60)) == []
    changes = heard(watching, answers(200, 90, start=400, prompt="p@2"))
    assert changes[0].saying is Saying.DETECTED
    assert {change.alarm.alarm_id for change in changes} == {changes[0].alarm.alarm_id}
    alarm = changes[-1].alarm
    assert (alarm.signal, alarm.moved, alarm.severity) == ("answer.length", ("",), "high")
    assert (alarm.causes[0].what, alarm.causes[0].value, alarm.causes[0].before) == ("prompt", "p@2", "p@1")
    assert abs(alarm.since - (1_700_000_000 + 400 * 5)) < 60
    assert alarm.questions
    over = heard(watching, answers(300, 60, start=600, prompt="p@1"))
    assert [(change.saying, change.alarm.cleared_because) for change in over] == [(Saying.CLEARED, "recovered")]
    assert watching.alarms.of("acme")[0].open is False
    again = heard(watching, answers(100, 90, start=900))
    assert again[0].alarm.alarm_id != alarm.alarm_id


def test_a_repeat_changes_nothing():
    watching = Watching(POLICY)
    heard(watching, answers(100, 60))
    before = watching.signals[LENGTH].to_bytes()
    assert heard(watching, answers(100, 60)) == []
    assert watching.signals[LENGTH].to_bytes() == before


@pytest.mark.parametrize("killed_after", [1, 130, 410, 433, 470])
def test_a_restart_anywhere_gives_the_same_alarms(killed_after: int):
    story = [*answers(400, 60), *answers(120, 90, start=400, prompt="p@2"), *answers(200, 60, start=520)]
    without = heard(Watching(POLICY), story)
    first = Watching(POLICY)
    changes = heard(first, story[:killed_after])
    records, _ = first.kept()
    second = Watching(POLICY)
    second.restore(records)
    changes += heard(second, story[killed_after:])
    assert changes == without
    assert [change.saying for change in without][-1] is Saying.CLEARED


def test_a_change_that_is_meant_begins_a_new_baseline_and_is_compared():
    watching = Watching(POLICY)
    heard(watching, answers(400, 60))
    at = 1_700_000_000 + 400 * 5
    meant = Intention("acme", "manuals", "prompt", "p@2", "shorter answers", at + 3600, "ann", at)
    list(watching.intend(meant))
    assert heard(watching, answers(400, 90, start=400, prompt="p@2")) == []
    baseline = watching.signals[LENGTH].baseline
    assert baseline is not None
    assert (baseline.name, baseline.version) == ("after prompt p@2", 2)
    compared = watching.comparisons[LENGTH]
    assert compared.before.mean == pytest.approx(60, abs=3)
    assert compared.after.mean == pytest.approx(90, abs=3)
    assert compared.verdict.severity == "high"


def test_a_change_announced_a_little_late_ends_its_alarm():
    watching = Watching(POLICY)
    heard(watching, answers(400, 60))
    assert heard(watching, answers(100, 90, start=400, prompt="p@2"))
    at = 1_700_000_000 + 500 * 5
    changes = list(watching.intend(Intention("acme", "", "prompt", "", "new prompt", at + 60, "ann", at)))
    assert [(change.saying, change.alarm.cleared_because) for change in changes] == [
        (Saying.CLEARED, "rebased: prompt=p@2")
    ]


def test_what_is_normal_can_be_agreed_from_what_was_seen():
    watching = Watching(Policy(window_size=40, learn=0))
    heard(watching, answers(200, 60))
    assert watching.signals[LENGTH].baseline is None
    _, rows = watching.kept()
    from loopline_monitoring.detection.sketch import Sketch

    sketches = [Sketch.from_bytes(row.sketch) for row in rows]
    merged = sketches[0]
    for sketch in sketches[1:]:
        merged = merged.merge(sketch)
    list(watching.agree([LENGTH], "march", lambda _: merged, 0.0))
    assert heard(watching, answers(100, 60, start=200)) == []
    assert heard(watching, answers(60, 90, start=300))[0].alarm.baseline == "march"


def test_a_plain_threshold_opens_and_closes_beside_the_tests():
    limit = Threshold("answer.length", Statistic.MEAN, above=75)
    watching = Watching(Policy(window_size=20, learn=0, thresholds=(limit,)))
    assert heard(watching, answers(40, 60)) == []
    changes = heard(watching, answers(40, 90, start=40))
    assert [(c.saying, c.alarm.threshold) for c in changes] == [(Saying.DETECTED, "mean above 75")]
    over = heard(watching, answers(60, 60, start=80))
    assert [change.saying for change in over] == [Saying.CLEARED]


def test_a_gap_is_a_gap_and_no_alarm():
    watching = Watching(POLICY)
    heard(watching, answers(410, 60))
    later = [*answers(400, 60, start=100_000, seed=2)]
    assert heard(watching, later) == []
    shown = list(watching.signals[LENGTH].recent)
    assert None in [value for _, value in shown]


def test_windows_by_time_close_on_event_time_and_leave_out_what_is_late():
    watching = Watching(Policy(window_by="time", window_size=100, lateness_s=30, learn=0))
    told = list(answers(40, 60))
    shuffled = sorted(told, key=lambda one: (int(one.at // 20), -one.at))
    heard(watching, shuffled)
    late = Observed("late", "acme", "manuals", told[0].at, told[-1].told_at, "x", {"answer.length": 1.0})
    heard(watching, [late])
    series = watching.signals[LENGTH]
    assert (series.late, series.last and series.last.summary.count) == (1, 20)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "text", None])
def test_bad_values_are_counted_and_harm_nothing(value):
    watching = Watching(POLICY)
    heard(watching, answers(200, 60))
    bad = Observed("bad", "acme", "manuals", 1_700_002_000.0, 1_700_002_000.0, "x", {"answer.length": value})
    assert heard(watching, [bad]) == []
    assert watching.signals[LENGTH].missing == 1


def test_a_label_that_comes_later_is_joined_and_one_that_never_comes_harms_nothing():
    watching = Watching(Policy(learn=0))
    made = [
        Observed(f"p{n}", "acme", "churn", 1e9 + n, 1e9 + n, f"c{n}", {"feature.age": 30.0, "prediction.value": "stays"},
                 slices=("country=de",))
        for n in range(3)
    ]  # fmt: skip
    labels = [
        Observed(f"l{n}", "acme", "churn", 1e9 + 9 + n, 1e9 + 9 + n, f"c{n}", {"prediction.label": label})
        for n, label in enumerate(["stays", "leaves"])
    ]
    heard(watching, [*made, *labels])
    correct = watching.signals[Key("acme", "churn", "", "prediction.correct")]
    assert correct.seen == 2
    gone = Observed(
        "p9", "acme", "churn", 1e9 + 20, 1e9 + 20, "c9", {"feature.other": 1.0, "prediction.value": "stays"}
    )
    heard(watching, [gone])
    assert watching.signals[Key("acme", "churn", "", "feature.age")].missing == 1


def test_slices_are_watched_on_their_own_and_named():
    watching = Watching(Policy(window_size=40, learn=120, slices=("language",)))

    def story(count: int, start: int, german: float) -> Iterator[Observed]:
        chance = random.Random(start)
        for number in range(start, start + count):
            language = "de" if number % 2 else "en"
            mean = german if language == "de" else 60.0
            yield Observed(
                f"e{number}", "acme", "manuals", 1e9 + 5 * number, 1e9 + 5 * number, f"a{number}",
                {"answer.length": chance.gauss(mean, 10)}, slices=(f"language={language}",),
            )  # fmt: skip

    assert heard(watching, story(600, 0, 60)) == []
    changes = heard(watching, story(200, 600, 95))
    assert "language=de" in changes[-1].alarm.moved
    assert "language=en" not in changes[-1].alarm.moved


def test_a_minute_without_a_bus_is_a_gap_and_what_then_comes_in_a_burst_is_no_alarm():
    watching = Watching(Policy(window_size=40, learn=120, gap_s=30))
    before = list(answers(470, 60, every_s=1))
    heard(watching, before)
    # Nothing happened for a minute; then all of the next minute is told at once, much later than it happened.
    later = [
        replace(one, at=one.at + 60, told_at=before[-1].at + 125) for one in answers(200, 60, start=470, every_s=1)
    ]
    assert heard(watching, later) == []
    series = watching.signals[LENGTH]
    assert [value for _, value in series.recent].count(None) == 1
    assert (series.seen, series.late) == (670, 0)


def test_clocks_that_jump_and_versions_that_nobody_knows_are_no_alarm():
    watching = Watching(POLICY)
    story = []
    for number, one in enumerate(answers(900, 60)):
        jump = {400: 400 * 86_400.0, 401: -400 * 86_400.0, 600: -3600.0}.get(number, 0.0)
        unknown = {500: {}, 550: {"weather": "rain"}, 560: {"weather": "sun"}, 570: {"prompt": ""}}
        story.append(replace(one, at=one.at + jump, versions=unknown.get(number, one.versions)))
    assert heard(watching, story) == []
    changes = heard(watching, answers(120, 90, start=900))
    assert changes[0].saying is Saying.DETECTED


def test_a_label_that_comes_days_later_is_joined_also_after_a_restart():
    watching = Watching(Policy(learn=0))
    heard(watching, [Observed("p", "acme", "churn", 1e9, 1e9, "c1", {"prediction.value": 4.0})])
    again = Watching(Policy(learn=0))
    again.restore(watching.kept()[0])
    late = 1e9 + 5 * 86_400
    heard(again, [Observed("l", "acme", "churn", late, late, "c1", {"prediction.label": 7.0})])
    error = again.signals[Key("acme", "churn", "", "prediction.error")]
    assert error.seen == 1


def test_what_stands_behind_a_window_is_shown_from_the_test_at_every_value_only_when_that_believes_in_a_change():
    recents, promise, frame = Recents(), Promise(1.0), POLICY.frame("answer.length")
    series = Series(Kind.NUMERIC)
    series.collect("first", 120, 0.0)

    def told(first: int, values: Iterable[float]) -> list[Closed]:
        closed = []
        for number, value in enumerate(values, first):
            closed += series.add(value, number * 5.0, number * 5.0, f"a{number}", frame, promise, 1)
            closed += series.settled(number * 5.0, frame, promise, 1)
        return closed

    chance = random.Random(1)
    told(0, (chance.gauss(60, 10) for _ in range(160)))
    (window,) = told(160, (chance.gauss(90, 10) for _ in range(40)))
    assert series.sequential is not None
    assert series.evidence() > 1
    found = over(LENGTH, series, window, recents)
    assert (found.test, found.since) == ("kolmogorov-smirnov", series.sequential.onset)
    assert set(found.examples) <= set(series.sequential.abouts(10))
    # Without evidence of its own it points at ordinary values, or at none.
    series.sequential.restart()
    found = over(LENGTH, series, window, recents)
    assert found.since == window.span.begin
    assert set(found.examples) <= {f"a{number}" for number in range(160, 200)}
    assert found.examples
