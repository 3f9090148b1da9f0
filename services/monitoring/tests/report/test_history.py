"""What the monitor remembers, as a page."""

import numpy as np

from loopline.monitoring.v1 import events_pb2 as events
from loopline.monitoring.v1 import monitoring_service_pb2 as messages
from loopline_monitoring.detection import Kind, Severity, Sketch
from loopline_monitoring.report.history import page_of
from loopline_monitoring.report.page import render

RNG = np.random.default_rng(1)
HOUR = 3600
BEGAN = 1_760_000_000


def sketched(values, kind=Kind.NUMERIC):
    sketch = Sketch.empty(kind)
    for number, value in enumerate(values):
        sketch.add(value, float(number), f"asked {number}")
    return sketch


def window(number: int, sketch: Sketch, told: str, *, gap: bool = False) -> messages.Window:
    summary = sketch.summary()
    made = messages.Window(told=told, enough=True, after_gap=gap, effect=0.1)
    made.begin.FromSeconds(BEGAN + HOUR * number)
    made.end.FromSeconds(BEGAN + HOUR * (number + 1))
    made.summary.count = summary.count
    made.summary.mean = summary.mean
    made.summary.quantiles.extend((summary.p05, summary.p50, summary.p95))
    made.summary.top.extend(messages.CategoryShare(category=name, share=share) for name, share in summary.top)
    return made


def history(signal: str, kind: int, baseline: Sketch, windows: list[Sketch]) -> messages.GetHistoryResponse:
    made = messages.SignalHistory(collection="manuals", signal=signal, kind=kind, baseline_sketch=baseline.to_bytes())
    whole = window(0, baseline, "")
    made.baseline.summary.CopyFrom(whole.summary)
    made.windows.extend(window(n, sketch, f"told {n}", gap=n == 2) for n, sketch in enumerate(windows))
    made.sketches.extend(sketch.to_bytes() for sketch in windows)
    return messages.GetHistoryResponse(signal=made)


def remembered() -> list[messages.GetHistoryResponse]:
    lengths = [sketched(RNG.normal(50 + 30 * (n > 2), 10, 60).tolist()) for n in range(5)]
    rates = [sketched((RNG.random(60) < 0.1).astype(float).tolist()) for _ in range(5)]
    names = [sketched(RNG.choice(["en", "de"], 60).tolist(), Kind.CATEGORICAL) for _ in range(5)]
    vectors = [sketched(list(RNG.normal(size=(40, 32)).astype(np.float32)), Kind.VECTOR) for _ in range(5)]
    alarm = events.Alarm(
        collection="manuals", signal="answer.length", severity=events.SEVERITY_HIGH, effect=1.2, told="median 50 -> 80"
    )
    alarm.since.FromSeconds(BEGAN + 3 * HOUR)
    alarm.causes.add(what="prompt", value="b", score=0.91, told="prompt a -> b, before 1 of 1 changed signals")
    alarm.questions.append("How long is <b>it</b>?")
    version = messages.VersionSeen(collection="manuals", what="prompt", value="b", before="a")
    version.at.FromSeconds(BEGAN + 3 * HOUR)
    kinds = messages.KIND_NUMERIC, messages.KIND_CATEGORICAL, messages.KIND_VECTOR
    return [
        history("answer.length", kinds[0], sketched(RNG.normal(50, 10, 300).tolist()), lengths),
        history("answer.refused", kinds[0], sketched((RNG.random(300) < 0.1).astype(float).tolist()), rates),
        history(
            "question.language", kinds[1], sketched(RNG.choice(["en", "de"], 300).tolist(), Kind.CATEGORICAL), names
        ),
        history(
            "question.embedding",
            kinds[2],
            sketched(list(RNG.normal(size=(90, 32)).astype(np.float32)), Kind.VECTOR),
            vectors,
        ),
        messages.GetHistoryResponse(alarm=alarm),
        messages.GetHistoryResponse(version=version),
    ]


def test_the_page_shows_alarms_with_their_cause_and_examples():
    page = page_of(remembered(), "Drift")
    length = next(signal for signal in page.signals if "answer.length" in signal.name)
    assert length.changed
    assert length.severity is Severity.HIGH
    assert length.causes == ("91% prompt a -> b, before 1 of 1 changed signals",)
    assert length.examples == ("How long is <b>it</b>?",)
    assert [mark.told for mark in length.marks] == ["prompt a -> b"]
    html = render(page)
    assert "How long is &lt;b&gt;it&lt;/b&gt;?" in html
    assert html.index("answer.length") < html.index("answer.refused")


def test_a_gap_is_drawn_as_one():
    page = page_of(remembered(), "Drift")
    html = render(page)
    # Two runs of windows for each of four signals.
    assert html.count('class="middle"') == 8


def test_rates_and_names_are_shown_by_their_share():
    page = page_of(remembered(), "Drift")
    rate, name = (next(s for s in page.signals if word in s.name) for word in ("refused", "language"))
    assert rate.band is not None
    assert 0.0 <= rate.band[0] < 0.1 < rate.band[2] < 0.3
    assert all(0.3 < point.middle < 0.7 for point in name.points)


def test_questions_have_a_map_of_before_and_after():
    page = page_of(remembered(), "Drift")
    assert (len(page.spots), sum(spot.later for spot in page.spots)) == (90 + 200, 200)
    assert page.spots[0].about.startswith("asked ")


def test_a_line_that_has_seen_nothing_has_a_page_too():
    assert "0 signals" in render(page_of([], "Drift"))
    bare = messages.GetHistoryResponse(
        signal=messages.SignalHistory(signal="answer.length", kind=messages.KIND_NUMERIC)
    )
    assert "no window closed since" in render(page_of([bare], "Drift"))
