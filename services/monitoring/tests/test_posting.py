"""Alarms reach whoever wants to hear them: signed, once, in order, in spite of receivers and restarts that fail."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from loopline_monitoring.adapters.policy_toml import policy_of
from loopline_monitoring.adapters.state_sql import METADATA, StateSql
from loopline_monitoring.adapters.webhooks_http import HttpReceiver
from loopline_monitoring.app import Agreeing, Monitor, Posting, Watching
from loopline_monitoring.model import Alarm, Cause, Change, Key, Observed, Policy, Saying, Severity, Webhook
from loopline_monitoring.ports import Kept, Letter
from loopline_runtime.errors import Invalid, Rejected, Unavailable
from loopline_testing.postgres import differences

ALARM = Alarm(
    "a1b2c3", "acme", "manuals", "answer.length", "", Severity.HIGH, 1.2, "sequential", 0.001, "higher", ("",), "first", 1,
    1e9, 1e9 + 60, causes=(Cause("prompt", "p@2", "p@1", 1e9, 0.9, "prompt p@1 -> p@2"),), examples=("x1",),
)  # fmt: skip
OPENED = Change(Saying.DETECTED, ALARM)
CLEARED = Change(Saying.CLEARED, replace(ALARM, update=1, cleared_at=1e9 + 90, cleared_because="recovered"))


class Hooks:
    """A receiver that counts what it accepted, and fails as it is told."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.accepted: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.accepted.append(request)
        return httpx2.Response(status, text="no room")

    def receiver(self, kind: str = "loopline", secret: str = "") -> HttpReceiver:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        return HttpReceiver(Webhook("team", kind, "http://team.test/hook", secret), client)


def length(number: int) -> Observed:
    at, value = 1e9 + number, 60.0 + number * 7919 % 13
    return Observed(f"e{number}", "acme", "manuals", at, at, f"a{number}", {"answer.length": value})


def letter(change: Change) -> Letter:
    return Letter(f"{change.alarm.alarm_id}/{change.alarm.update}/team", "team", change)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[StateSql]:
    async with StateSql.opened(url) as state:
        yield state


async def test_the_tables_are_what_the_revisions_make(database_url: str):
    async with opened(database_url) as state:
        assert await differences(state.database, METADATA) == []


async def test_all_is_written_or_nothing_and_read_back(database_url: str):
    async with opened(database_url) as state:
        await state.keep(Kept({("x", "1"): b"a", ("x", "2"): b"b"}, {"monitoring-answers": 7}, (), (letter(OPENED),)))
        await state.keep(Kept({("x", "1"): b"c", ("x", "2"): None}, {"monitoring-answers": 9}, (), (letter(OPENED),)))
        kept = await state.load()
        assert (kept.records, kept.places) == ({("x", "1"): b"c"}, {"monitoring-answers": 9})
        assert [one.change for one in await state.letters("team", 1e12, 10)] == [OPENED]


async def test_a_letter_that_waits_holds_back_the_later_ones_of_its_alarm_alone(database_url: str):
    other = Change(Saying.DETECTED, replace(ALARM, alarm_id="other"))
    async with opened(database_url) as state:
        await state.keep(Kept(letters=(letter(OPENED), letter(CLEARED), letter(other))))
        await state.failed(letter(OPENED).id, 2e9)
        assert [one.id for one in await state.letters("team", 1.9e9, 10)] == ["other/0/team"]
        assert [one.id for one in await state.letters("team", 2e9, 10)] == [
            "a1b2c3/0/team",
            "a1b2c3/1/team",
            "other/0/team",
        ]


async def test_each_alarm_is_accepted_once_also_after_a_restart(tmp_path: Path):
    url, hooks = f"sqlite:///{tmp_path}/state.db", Hooks(503, 429, 200)
    async with opened(url) as state:
        await state.keep(Kept(letters=(letter(OPENED), letter(CLEARED))))
        posting = Posting("team", hooks.receiver(), state, Monitor(Watching(), state, 1.0))
        assert await posting.carry() == 2
        assert hooks.accepted == []
        for row in ("a1b2c3/0/team", "a1b2c3/1/team"):
            await state.failed(row, 0.0)
        await posting.carry()
        await state.failed("a1b2c3/0/team", 0.0)
        await posting.carry()
    async with opened(url) as state:
        await Posting("team", hooks.receiver(), state, Monitor(Watching(), state, 1.0)).carry()
        assert await state.letters("team", 1e12, 10) == []
    assert [json.loads(request.content)["event"] for request in hooks.accepted] == ["drift_detected", "drift_cleared"]
    assert [request.headers["idempotency-key"] for request in hooks.accepted] == ["a1b2c3/0", "a1b2c3/1"]


async def test_what_is_sent_is_signed_and_the_signature_covers_time_and_body():
    hooks = Hooks()
    await hooks.receiver(secret="s3cret").tell(letter(OPENED))
    (request,) = hooks.accepted
    signed = request.headers["loopline-timestamp"].encode() + b"." + request.content
    assert request.headers["loopline-signature"] == f"sha256={hmac.new(b's3cret', signed, hashlib.sha256).hexdigest()}"
    assert json.loads(request.content)["causes"][0]["value"] == "p@2"


async def test_alertmanager_hears_when_it_began_and_when_it_is_over():
    hooks = Hooks()
    receiver = hooks.receiver("alertmanager")
    await receiver.tell(letter(OPENED))
    await receiver.tell(letter(CLEARED))
    began, over = (json.loads(request.content)[0] for request in hooks.accepted)
    assert hooks.accepted[0].url.path == "/hook/api/v2/alerts"
    assert began["labels"] == over["labels"]
    assert began["startsAt"] == "2001-09-09T01:47:40.000+00:00"
    assert over["endsAt"] == "2001-09-09T01:48:10.000+00:00"


async def test_slack_reads_no_markup_in_what_others_said():
    hooks = Hooks()
    await hooks.receiver("slack").tell(letter(Change(Saying.DETECTED, replace(ALARM, told="<!channel> & more"))))
    assert "&lt;!channel&gt; &amp; more" in json.loads(hooks.accepted[0].content)["text"]


@pytest.mark.parametrize(
    ("status", "error"), [(500, Unavailable), (429, Unavailable), (404, Rejected), (302, Rejected)]
)
async def test_a_receivers_answer_says_whether_another_try_may_help(status: int, error: type[Exception]):
    with pytest.raises(error):
        await Hooks(status).receiver().tell(letter(OPENED))


async def test_a_muted_alarm_is_said_on_the_line_and_sent_to_nobody(tmp_path: Path):
    policy = Policy(webhooks=(Webhook("team", "loopline", "http://team.test"),))
    async with opened(f"sqlite:///{tmp_path}/state.db") as state:
        monitor = Monitor(Watching(policy), state, 1.0, clock=lambda: 1e9)

        def both(_: Watching):
            yield OPENED
            yield Change(Saying.CLEARED, replace(CLEARED.alarm, muted_until=2e9))

        await monitor.do(both)
        assert [one.id for one in await state.letters("team", 1e12, 10)] == ["a1b2c3/0/team"]
        assert [one.id for one in await state.letters("line", 1e12, 10)] == ["a1b2c3/0/line", "a1b2c3/1/line"]


async def test_too_few_values_are_no_baseline_and_that_is_said(tmp_path: Path):
    async with opened(f"sqlite:///{tmp_path}/state.db") as state:
        monitor = Monitor(Watching(), state, 1.0)
        await monitor.hear("monitoring-answers", 1, [length(number) for number in range(30)])
        with pytest.raises(Invalid) as refused:
            await Agreeing(monitor, state).from_last("acme", "", "", "now", 30)
        assert refused.value.reason == "TOO_FEW"
        await monitor.hear("monitoring-answers", 2, [length(number) for number in range(30, 130)])
        assert await Agreeing(monitor, state).from_last("acme", "manuals", "answer.length", "now", 60) == {}
        baseline = monitor.watching.signals[Key("acme", "manuals", "", "answer.length")].baseline
        assert baseline is not None
        assert (baseline.name, 60 <= baseline.sketch.count <= 110) == ("now", True)


def test_a_policy_is_read_and_a_wrong_one_says_where(tmp_path: Path):
    (tmp_path / "secret").write_text("s3cret\n")
    path = tmp_path / "policy.toml"
    path.write_text(
        f"""
        false_alarms_per_week = 2
        slices = ["language"]
        [windows]
        size = 30
        [windows.sizes]
        "answer.cost" = 10
        [[thresholds]]
        signal = "answer.failed"
        above = 0.2
        [[canaries]]
        collection = "manuals"
        questions = ["a?", "b?"]
        [[webhooks]]
        name = "team"
        kind = "loopline"
        url = "https://team.test/hook"
        secret_file = "{tmp_path}/secret"
        """
    )
    policy = policy_of(path)
    assert (policy.false_alarms_per_week, policy.slices, policy.webhooks[0].secret) == (2.0, ("language",), "s3cret")
    assert [policy.frame(s).size for s in ("answer.length", "answer.cost", "canary.similarity")] == [30, 10, 2]
    for wrong, where in [
        ("[windows]\nsize = -1", "windows.size"),
        ("[[thresholds]]\nsignal = 'x'", "thresholds.0"),
        ("x = 1", "x"),
    ]:
        path.write_text(wrong)
        with pytest.raises(Invalid, match=where):
            policy_of(path)


async def test_names_that_no_database_takes_stop_nothing(database_url: str):
    awkward = Observed("e1", "acme", "m" * 300, 1e9, 1e9, "a\x1fb", {"feature.\x00x\x1f" + "y" * 400: 1.0}, ("s=\x1f",))
    async with opened(database_url) as state:
        monitor = Monitor(Watching(Policy(window_size=1, slices=("*",))), state, 0.0)
        await monitor.hear("monitoring-predictions", 1, [awkward])
        again = Watching()
        again.restore((await state.load()).records)
    assert len(again.signals) == 2
    assert all(len(key.signal) <= 200 and key.signal.isprintable() for key in again.signals if key.signal)
