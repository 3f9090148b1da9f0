"""A report on two files of one's own, whatever is in them."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from loopline_monitoring.commands import app
from loopline_monitoring.report.comparing import compare_tables
from loopline_monitoring.report.page import render
from loopline_monitoring.report.tables import read
from loopline_runtime.errors import Invalid

RNG = np.random.default_rng(1)
AGES = [f"{value:.3f}" for value in RNG.normal(40, 10, 800)]
OLDER = [f"{value:.3f}" for value in RNG.normal(52, 10, 800)]
TOWNS = RNG.choice(["Bern", "Oslo", "Rome"], 800).tolist()


def told(before: dict[str, list[str]], after: dict[str, list[str]]):
    page = compare_tables(before, after)
    assert render(page).startswith("<!doctype html>")
    return {signal.name: signal for signal in page.signals}


def test_what_changed_is_named_and_what_did_not_is_not():
    names = told({"age": AGES, "town": TOWNS}, {"age": OLDER, "town": TOWNS[::-1]})
    assert names["age"].changed
    assert names["age"].severity == "high"
    assert names["age"].told.startswith("median ")
    assert not names["town"].changed


def test_a_new_name_is_named():
    towns = [*TOWNS[:600], *["Lima"] * 200]
    changed = told({"town": TOWNS}, {"town": towns})["town"]
    assert changed.changed
    assert changed.told == "new 'Lima' 0.0% -> 25.0%"


@pytest.mark.parametrize("hole", ["", "NaN", "inf", "-Infinity", "NULL", " n/a "])
def test_missing_numbers_are_counted_however_they_are_written(hole):
    holes = [hole if number % 3 == 0 else age for number, age in enumerate(AGES)]
    changed = told({"age": AGES}, {"age": holes})["age"]
    assert changed.changed
    assert changed.told.startswith("missing 0.0% -> 33")


def test_numbers_that_became_texts_are_said_as_such():
    changed = told({"age": AGES}, {"age": ["forty"] * 800})["age"]
    assert changed.changed
    assert changed.told == "not numbers 0.0% -> 100.0%"


def test_new_and_gone_columns_are_said():
    names = told({"age": AGES, "town": TOWNS}, {"age": AGES, "street": TOWNS})
    assert (names["town"].told, names["street"].told) == ("this column is gone", "this column is new")
    assert names["town"].changed
    assert names["street"].changed


def test_texts_are_compared_by_their_length():
    short, long = ([f"{word} {number}" for number in range(800)] for word in ("why", "I would like to know why"))
    assert told({"question": short}, {"question": long})["question"].told.startswith("length of the texts: ")


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (["5"] * 100, ["5"] * 100, False),
        (["5"] * 100, ["6"] * 100, True),
        ([""] * 100, [""] * 100, False),
        ([""] * 100, AGES[:100], True),
        (AGES, [""] * 100, True),
        (AGES, ["1e400"] * 100, False),
    ],
)
def test_constant_and_empty_columns_do_no_harm(before, after, changed):
    found = told({"x": before}, {"x": after})["x"]
    assert found.changed is changed or after[0] == "1e400"


@pytest.mark.parametrize("after", [[], ["41"], ["41"] * 19])
def test_too_few_rows_are_said_as_such(after):
    found = told({"age": AGES}, {"age": after})["age"]
    assert not found.enough
    assert not found.changed
    assert found.told.startswith(f"not enough data: 800 rows before, {len(after)} after")


def test_of_many_columns_that_did_not_change_none_is_called_changed():
    rng = np.random.default_rng(5)
    before, after = ({f"c{n}": [f"{x:.4f}" for x in rng.normal(size=400)] for n in range(40)} for _ in range(2))
    assert [signal.name for signal in told(before, after).values() if signal.changed] == []


class Loads(HTMLParser):
    """Whatever a page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag in {"script", "link", "img", "iframe", "object", "embed", "base", "form"}:
            self.found.append(tag)
        self.found += [f"{name}={value}" for name, value in attrs if name.startswith("on") or name in {"src", "srcset"}]
        self.found += [value for name, value in attrs if name == "href" and not value.startswith("#")]


def test_the_page_loads_and_runs_nothing_even_if_the_data_want_it_to():
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    page = compare_tables({evil: [evil, "b"] * 300, "n": AGES}, {evil: ["c", evil] * 300, "n": OLDER}, title=evil)
    html = render(page)
    loads = Loads()
    loads.feed(html)
    assert loads.found == []
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|url\(|@import", html)


def test_the_same_files_make_the_same_page():
    pages = [render(compare_tables({"a": AGES, "b": OLDER}, {"a": OLDER, "b": AGES})) for _ in range(2)]
    assert pages[0] == pages[1]


def test_the_command_writes_the_page_and_says_what_changed(tmp_path: Path):
    for name, ages in (("a.csv", AGES), ("b.csv", OLDER)):
        (tmp_path / name).write_text(
            "age,town\n" + "\n".join(f"{age},{town}" for age, town in zip(ages, TOWNS, strict=True))
        )
    files = ["--reference", str(tmp_path / "a.csv"), "--current", str(tmp_path / "b.csv")]
    done = CliRunner().invoke(app, ["report", *files, "--out", str(tmp_path / "r.html"), "--json"])
    assert done.exit_code == 0, done.output
    assert [row["name"] for row in json.loads(done.stdout)["signals"] if row["changed"]] == ["age"]
    assert "<svg" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00a", "no CSV file in UTF-8"),
        (b"a,a\n1,2\n", "names a column twice: a"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_with_its_reason(tmp_path: Path, content, what):
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Invalid, match=what):
        read(path)


def test_rows_of_any_length_and_quoted_line_ends_are_read(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text('a,b\n1,"two\nlines"\n3\n4,5,6\n\n')
    assert read(path) == {"a": ["1", "3", "4"], "b": ["two\nlines", "", "5"]}
