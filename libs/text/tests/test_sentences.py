"""Sentences and their bearing on a question."""

import numpy as np
import pytest

from loopline_text import Lexical, bearings, split, stems


def test_a_text_is_split_at_ends_and_lines():
    assert split("Big things, i.e. boats. Small ones.") == [(0, "Big things, i.e. boats."), (24, "Small ones.")]
    assert split("One is here. Two is not!\nThree\n\n--- \nFour?") == [
        (0, "One is here."),
        (13, "Two is not!"),
        (25, "Three"),
        (37, "Four?"),
    ]


def test_words_are_compared_without_endings_and_without_the_commonest():
    assert stems("The towers were painted, and are painting") == ["tower", "paint", "paint"]


def test_a_rare_word_of_the_question_weighs_more_than_a_common_one():
    shares = Lexical(["the red tower", "the red bridge", "the red gate"]).shares("Which red gate?")
    assert shares[2] == 1.0
    assert shares[0] == shares[1] < 0.5


def test_a_question_of_common_words_shares_nothing():
    assert Lexical(["the tower"]).shares("what is it?") == [0.0]


def test_bearing_is_cosine_and_half_the_share():
    question, near, far = (np.array(vector, "<f4").tobytes() for vector in ([1, 0], [0.6, 0.8], [0, 1]))
    assert bearings(question, [near, far], [0.0, 1.0]) == pytest.approx([0.6, 0.5])
