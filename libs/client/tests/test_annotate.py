"""Keys make labels."""

import click
import pytest

from loopline_client.annotation import Queue
from loopline_client.cli import annotate
from loopline_client.evaluation import Shown

QUEUE = Queue("truth", "Is it true?", ("no", "yes"))
ANSWER = Shown("a" * 32, "Why?", "Because.", (), (), "SKIPPED NO_JUDGE", (), (), "")


@pytest.mark.parametrize(
    ("keys", "decided"),
    [
        ("2", ("yes", "")),
        ("x91", ("no", "")),
        ("n2", ("yes", "I was there")),
        ("ps", ("s", "")),
        ("nq", ("q", "")),
        ("", ("q", "")),
    ],
)
def test_a_key_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], keys: str, decided: tuple[str, str]
):
    pressed = iter([*keys, ""])
    monkeypatch.setattr(click, "getchar", lambda: next(pressed))
    monkeypatch.setattr(annotate.console, "input", lambda _: " I was there ")
    assert annotate._decided(QUEUE, ANSWER, "RANDOM") == decided
    shown = capsys.readouterr().out
    assert "Is it true?" in shown
    assert "1 no   2 yes" in shown
