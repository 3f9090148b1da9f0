"""Labelled questions are read from CSV and JSONL, and what is wrong is named by its line."""

from pathlib import Path

import pytest

from loopline_client.index_results import Question
from loopline_client.labelled import questions_in
from loopline_runtime.errors import Invalid


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8-sig" if name.endswith(".csv") else "utf-8")
    return path


def test_a_table_with_a_header(tmp_path: Path):
    path = written(
        tmp_path,
        "q.csv",
        'question,document,passage\n"Who built it?",coast.md,\n"Who built it?",tower.md,\nWhen?,,"in 1871, by\nAda"\n',
    )
    assert questions_in(path) == [
        Question("Who built it?", sources=("coast.md", "tower.md")),
        Question("When?", passages=("in 1871, by\nAda",)),
    ]


def test_one_object_a_line(tmp_path: Path):
    path = written(
        tmp_path,
        "q.jsonl",
        '{"question": "Who?", "document_id": ["d1", "d2"]}\n\n{"question": "Why?", "source": "a.md"}\n',
    )
    assert questions_in(path) == [Question("Who?", document_ids=("d1", "d2")), Question("Why?", sources=("a.md",))]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("q.csv", "question,document\nWho?,\n", "line 2: it needs a question and a document"),
        ("q.csv", "frage,dokument\nWho?,a.md\n", "line 2"),
        ("q.jsonl", '{"question": "Who?", "document": "a.md"}\n{"question"\n', "line 2: no JSON"),
        ("q.jsonl", '["Who?"]\n', "line 1: an object"),
        ("q.jsonl", "\n", "holds no question"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, told: str):
    with pytest.raises(Invalid, match=told):
        questions_in(written(tmp_path, name, text))


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(Invalid, match="cannot be read"):
        questions_in(tmp_path / "none.csv")
