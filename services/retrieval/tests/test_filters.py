"""The grammar says where it stopped understanding, and never fails in another way."""

import random
import string

import pytest

from loopline_retrieval.adapters.sqlite_filter import compiled
from loopline_retrieval.filters import AllOf, AnyOf, Compare, Exists, In, Not, parse
from loopline_runtime.errors import Invalid


def test_and_binds_closer_than_or():
    assert parse('a = 1 or b = 2 and not c in ("x")') == AnyOf(
        (Compare("a", "=", 1.0), AllOf((Compare("b", "=", 2.0), Not(In("c", ("x",))))))
    )
    assert parse('a = "say \\"hi\\""') == Compare("a", "=", 'say "hi"')
    assert parse("exists(a.b-c)") == Exists("a.b-c")
    assert parse("exists = 1") == Compare("exists", "=", 1.0)
    assert parse("  ") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a =", 'column 4: expected "text"'),
        ("a = 1 b", "column 7: expected `and`, `or` or the end"),
        ("(a = 1", "column 7: expected `)`"),
        ("a in 1", "column 6: expected `(`"),
        ("a = 'x'", 'column 5: "\'" is not understood'),
        ("(" * 50 + "a = 1" + ")" * 50, "nested deeper"),
        ("not " * 50 + "a = 1", "nested deeper"),
        ("a = 1" + " " * 5000, "characters"),
    ],
)
def test_errors_say_where(text, told):
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert told in str(caught.value)


def test_values_are_never_part_of_the_statement():
    condition, parameters = compiled(parse("""a = "'; drop table chunk --" and b in ("x", 2)"""))
    assert "drop" not in condition
    assert parameters == ["a", "'; drop table chunk --", "b", "x", "b", 2.0]


def test_any_text_is_a_filter_or_invalid():
    chance = random.Random(5)
    pieces = [
        "a",
        "=",
        "and",
        "or",
        "not",
        "(",
        ")",
        "in",
        ",",
        '"x"',
        "1",
        "exists",
        "<",
        ">=",
        *string.punctuation,
        "é",
    ]
    for _ in range(3000):
        text = " ".join(chance.choices(pieces, k=chance.randint(1, 12)))
        try:
            tree = parse(text)
        except Invalid:
            continue
        if tree is not None:
            compiled(tree)
