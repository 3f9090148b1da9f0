import json
from pathlib import Path

import pytest

from loopline_evaluation.datasets.choosing import chosen, slices
from loopline_evaluation.datasets.cloze import GAP, cloze
from loopline_evaluation.datasets.differing import diff
from loopline_evaluation.datasets.reading import FORMATS, read
from loopline_evaluation.datasets.rows import Origin, Reference, Row, checked, content, row_of, version_hash
from loopline_evaluation.datasets.splitting import alike, grouped, split
from loopline_evaluation.datasets.writing import written
from loopline_runtime.errors import Invalid

SAMPLES = Path(__file__).parent / "samples"


def row(key: str, question: str = "", **more) -> Row:
    return Row(key, question or f"What is {key}?", **more)


def test_bad_lines_are_told_by_number_and_leave_the_rest_alone():
    data = b"\n".join(
        [
            b'{"id": "a", "question": "Who?", "answer": "Ann", "tags": ["x"], "language": "en"}',
            b"{half a line",
            b'{"id": "b", "question": NaN}',
            b'{"id": "a", "question": "Again?"}',
            b'["no object"]',
            b'{"id": "c", "question": "\xff"}',
            b'{"id": "d", "question": "How high?", "score": NaN, "answer": [NaN, "9 m"]}',
            b'{"id": "e", "question": "How deep?", "depth": Infinity}',
            b'{"id": "f", "question": {"de": "Was?"}}',
        ]
    )
    found = read(data, "jsonl", "rows.jsonl")
    assert [one.id for one in found.rows] == ["a", "d"]
    assert found.rows[0].origin == Origin("imported", "rows.jsonl:1")
    assert found.rows[0].metadata == {"language": "en"}
    assert found.rows[1].references == ("9 m",)
    told = {problem.line: problem.message for problem in found.problems}
    assert sorted(told) == [2, 3, 4, 5, 6, 8, 9]
    assert "not JSON" in told[2]
    assert "missing" in told[3]
    assert "line 1 already" in told[4]
    assert "UTF-8" in told[6]
    assert "no value" in told[8]
    assert "not text" in told[9]


def test_csv_cells_hold_lists_and_line_numbers_survive_line_breaks():
    data = 'question,answers,tags,note\n"Who\nis it?","[""Ann"", ""Anna""]",a;b,x\nshort,row\n"What?",Tea,,y\n'
    found = read(data.encode(), "csv")
    assert [(one.question, one.references, one.tags) for one in found.rows] == [
        ("Who\nis it?", ("Ann", "Anna"), ("a", "b")),
        ("What?", ("Tea",), ()),
    ]
    assert [(problem.line, problem.message) for problem in found.problems] == [(4, "2 cells, and 4 columns")]


@pytest.mark.parametrize(
    ("form", "data"), [("csv", b"a,b\n1,2\n"), ("parquet", b"PAR"), ("squad", b"[]"), ("xml", b"")]
)
def test_a_file_of_another_kind_is_refused_as_a_whole(form: str, data: bytes):
    with pytest.raises(Invalid):
        read(data, form)


def test_an_empty_dataset_and_a_repeated_id_are_refused():
    with pytest.raises(Invalid, match="at least one row"):
        checked([])
    with pytest.raises(Invalid, match="twice"):
        checked([row("a"), row("a")])


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_what_is_written_is_read_back_to_the_same_version(form: str):
    passages = (Reference("d1", "a.md", "c1", "The tower, “high”\nand old.", 7), Reference(text="Another."))
    rows = [
        row("a", references=("x", "[y]"), passages=passages, answerable=True, tags=("t", "s"), metadata={"n": "1"}),
        row("b", "Which?", choices=("red", "blue"), references=("red",)),
        row("c", answerable=False),
    ]
    again = read(b"".join(written(rows, form)), form)
    assert again.problems == ()
    assert version_hash(again.rows) == version_hash(rows)


def test_a_version_is_named_by_its_content_alone():
    one = [row("a", origin=Origin(detail="x:1")), row("b")]
    assert version_hash(one) == version_hash([row("b"), row("a", origin=Origin(detail="y:9"))])
    assert version_hash(one) != version_hash([row("a"), row("b", references=("r",))])
    assert row_of(json.loads(json.dumps(content(one[0]))), one[0].origin) == one[0]


@pytest.mark.parametrize("form", ["squad", "mmlu", "hellaswag"])
def test_published_formats_are_read(form: str):
    (file,) = SAMPLES.glob(f"{form}.*")
    found = read(file.read_bytes(), form)
    assert found.problems == ()
    assert len(found.rows) == 4
    if form == "squad":
        assert [one.answerable for one in found.rows] == [True, True, True, False]
        assert found.rows[0].passages[0].text
    else:
        assert all(set(one.references) < set(one.choices) and len(one.choices) == 4 for one in found.rows)
    assert form in FORMATS


def test_rows_are_chosen_by_tag_metadata_and_origin():
    rows = [
        row("a", tags=("x", "y"), metadata={"language": "de"}),
        row("b", metadata={"language": "en"}, origin=Origin("generated", synthetic=True)),
    ]
    assert [one.id for one in chosen(rows, ["tag=x"])] == ["a"]
    assert [one.id for one in chosen(rows, ["language!=de"])] == ["b"]
    assert [one.id for one in chosen(rows, ["synthetic=true", "language=en"])] == ["b"]
    assert slices(rows, ["tag", "language"]) == {
        "tag=x": {"a"},
        "tag=y": {"a"},
        "language=de": {"a"},
        "language=en": {"b"},
    }
    with pytest.raises(Invalid, match="condition"):
        chosen(rows, ["language"])


def test_a_diff_names_what_changed():
    before = [row("a"), row("b"), row("c")]
    after = [row("b", references=("r",)), row("c"), row("d")]
    found = diff(before, after)
    assert ([one.id for one in found.added], [one.id for one in found.removed], found.same) == (["d"], ["a"], 1)
    assert [(one.after.id, one.fields) for one in found.changed] == [("b", ("references",))]


def test_near_duplicates_never_part():
    asked = [f"How do I reset the {thing} of model {number}0?" for thing in ("pump", "lamp") for number in range(20)]
    rows = [row(f"r{place}", question) for place, question in enumerate(asked)]
    rows += [row(f"s{place}", f"{question} Please") for place, question in enumerate(asked)]
    parts = split(rows + [row(f"u{n}", f"{n} {chr(97 + n) * 9} differs") for n in range(20)], {"train": 3, "test": 1})
    assert sum(map(len, parts.values())) == 100
    leaks = [pair for pair in alike([*parts["train"], *parts["test"]]) if _parted(pair[:2], parts)]
    assert leaks == []
    assert len(alike(rows)) > 20
    assert parts == split(
        rows + [row(f"u{n}", f"{n} {chr(97 + n) * 9} differs") for n in range(20)], {"train": 3, "test": 1}
    )


def test_rows_about_one_passage_stay_together():
    passage = Reference(text="The tower is 40 m high.")
    rows = [row("a", "How high?", passages=(passage,)), row("b", "What is tall?", passages=(passage,)), row("c")]
    assert sorted(sorted(one.id for one in group) for group in grouped(rows)) == [["a", "b"], ["c"]]
    with pytest.raises(Invalid, match="none is left"):
        split(rows, {"x": 1, "y": 1, "z": 1})


def test_cloze_questions_leave_out_a_telling_word_and_say_that_they_are_synthetic():
    passages = [
        Reference(
            "d1", "a.md", "c1", "The lighthouse at Skerry Point was built in 1871. It is kept by one man who is old.", 3
        ),
        Reference("d2", "b.md", "c2", "The harbour was drawn by Ada Moreland after the great storm."),
    ]
    rows = cloze(passages, 10)
    assert len(rows) == 2
    for one in rows:
        assert GAP in one.question
        assert one.references[0] not in one.question
        assert one.origin.synthetic
        assert one.documents <= {"d1", "d2"}
    assert cloze(passages, 1) == rows[:1]


def _parted(pair, parts) -> bool:
    train = {one.id for one in parts["train"]}
    return len(train & set(pair)) == 1
