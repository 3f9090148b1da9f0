"""XQuAD and SciFact as they lie beside the repository, when they do."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parents[3] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Question:
    """A question with the paragraph that answers it and the answers people gave."""

    text: str
    gold: tuple[str, ...]
    paragraph: int
    subject: int


def xquad() -> tuple[list[str], list[Question]]:
    """All 240 English paragraphs, all 1,190 questions."""
    paragraphs: list[str] = []
    questions: list[Question] = []
    for subject, article in enumerate(json.loads((DATA / "xquad/xquad.en.json").read_text())["data"]):
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                gold = tuple(answer["text"] for answer in asked["answers"])
                questions.append(Question(asked["question"], gold, len(paragraphs), subject))
            paragraphs.append(paragraph["context"])
    return paragraphs, questions


def xquad_titles() -> list[str]:
    """The title of each paragraph's article."""
    articles = json.loads((DATA / "xquad/xquad.en.json").read_text())["data"]
    return [article["title"].replace("_", " ") for article in articles for _ in article["paragraphs"]]


def split(questions: list[Question], count: int, seed: int = 11) -> tuple[list[Question], list[Question]]:
    """`count` questions to measure with, and the others, on which thresholds are fixed."""
    shuffled = random.Random(seed).sample(questions, len(questions))
    return shuffled[:count], shuffled[count:]


def scifact() -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]]]:
    """Documents, test questions, and which documents answer them."""
    folder = DATA / "scifact/beir"
    corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    documents = {row["_id"]: f"{row.get('title', '')}. {row['text']}" for row in corpus}
    queries = {row["_id"]: row["text"] for row in map(json.loads, (folder / "queries.jsonl").read_text().splitlines())}
    relevant: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels/test.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        relevant.setdefault(query, {})[document] = int(grade)
    return documents, {query: queries[query] for query in relevant}, relevant
