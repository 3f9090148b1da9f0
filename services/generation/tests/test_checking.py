"""Citations, sentences, support: the small parts by themselves."""

import pytest

from loopline_generation.app.citations import Citations, numbers_in
from loopline_generation.app.grounding import Evidence, Sentences
from loopline_generation.app.sentences import Sentence


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_a_citation_split_over_tokens_is_checked_like_a_whole_one(size: int):
    text = "Red [1] and blue [2, 7], not [9] or [x] or arr[0 done"
    citations = Citations(2)
    parts = [citations.passed(text[start : start + size]) for start in range(0, len(text), size)]
    assert "".join(parts) + citations.rest() == "Red [1] and blue [2], not or [x] or arr[0 done"
    assert citations.invalid == [7, 9]


def test_numbers_are_read_from_single_and_joined_citations():
    assert numbers_in("a [1] b [2, 3] c [four]") == [1, 2, 3]


def test_sentences_come_whole_with_their_citations():
    sentences = Sentences()
    found = []
    for letter in "It rained. [1] Then it stopped! Version 1.5 was out\nlast":
        found += sentences.passed(letter)
    assert [one.strip() for one in found] == ["It rained.", "[1] Then it stopped!", "Version 1.5 was out"]
    assert sentences.rest() == "last"


EVIDENCE = [
    Sentence(1, "The tower was built in 1871 by Ada Moreland."),
    Sentence(1, "She was born in Kelso."),
    Sentence(2, "The ferry carries forty cars."),
]


@pytest.mark.parametrize(
    ("claim", "supported"),
    [
        ("Ada Moreland built the tower in 1871.", True),
        ("The tower's builder was Ada Moreland, born in Kelso.", True),
        ("Ada Moreland built the tower in 1872.", False),
        ("The tower was built by Napoleon.", False),
        ("The ferry carries forty cars [2].", True),
        ("The ferry carries forty cars [1].", False),
        ("The.", False),
    ],
)
def test_a_sentence_stands_on_what_it_cites(claim: str, supported: bool):
    assert (Evidence(EVIDENCE, "What is known?").supports(claim) is not None) is supported
