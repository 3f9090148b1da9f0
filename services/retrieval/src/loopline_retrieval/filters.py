"""The grammar of filters, and the tree they become.

    filter     = either
    either     = both { "or" both }
    both       = one { "and" one }
    one        = "not" one | "(" either ")" | "exists" "(" name ")" | comparison
    comparison = name ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value | name [ "not" ] "in" "(" value { "," value } ")"
    name       = letter or _ , then letters, digits, _ . -       (a metadata key, or one of: source, title, document_id)
    value      = "text" with \\" and \\\\ | number

Against a number the metadata's text is compared as a number (text that is none does not match); against text, as text.
A comparison with a key that a document does not have is false; so `not author = "Ann"` finds documents without an author.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from loopline_runtime.errors import Invalid

MOST_CHARACTERS, MOST_DEPTH, MOST_VALUES = 4096, 32, 256
RESERVED = ("source", "title", "document_id")

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\["\\])*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<op><=|>=|!=|=|<|>)|(?P<mark>[(),])|(?P<word>[A-Za-z_][\w.-]*))""",
    re.ASCII,
)

Value = str | float


@dataclass(frozen=True, slots=True)
class Compare:
    """`name operator value`."""

    name: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """`name in (values)`."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists(name)`."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """`not inner`."""

    inner: "Filter"


@dataclass(frozen=True, slots=True)
class AllOf:
    """`a and b ...`."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`a or b ...`."""

    parts: tuple["Filter", ...]


Filter = Compare | In | Exists | Not | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def parse(text: str) -> Filter | None:
    """The tree of a filter; None when it is empty. Invalid says the column and what was expected there."""
    if not text.strip():
        return None
    if len(text) > MOST_CHARACTERS:
        raise Invalid(f"the filter has {len(text)} characters; at most {MOST_CHARACTERS}", field="filter")
    parser = _Parser([*_tokens(text), _Token("end", "the end", len(text) + 1)])
    tree = parser.either(0)
    parser.take("end", "`and`, `or` or the end")
    return tree


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if not match or not match.lastgroup:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise Invalid(f"filter, column {at + 1}: {text[at]!r} is not understood", field="filter")
        yield _Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1)
        at = match.end()


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def take(self, kind: str, expected: str, *texts: str) -> _Token:
        token = self._next
        if token.kind != kind or (texts and token.text.lower() not in texts):
            raise Invalid(f"filter, column {token.column}: expected {expected}, found {token.text}", field="filter")
        self._at += 1
        return token

    def _has(self, kind: str, *texts: str) -> bool:
        if self._next.kind == kind and self._next.text.lower() in texts:
            self._at += 1
            return True
        return False

    def either(self, depth: int) -> Filter:
        if depth > MOST_DEPTH:
            raise Invalid(f"the filter is nested deeper than {MOST_DEPTH}", field="filter")
        parts = [self._both(depth)]
        while self._has("word", "or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _both(self, depth: int) -> Filter:
        parts = [self._one(depth)]
        while self._has("word", "and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self, depth: int) -> Filter:
        if depth > MOST_DEPTH:
            raise Invalid(f"the filter is nested deeper than {MOST_DEPTH}", field="filter")
        if self._has("word", "not"):
            return Not(self._one(depth + 1))
        if self._has("mark", "("):
            inner = self.either(depth + 1)
            self.take("mark", "`)`", ")")
            return inner
        if self._next.text.lower() == "exists" and self._tokens[self._at + 1].text == "(":
            self._at += 2
            name = self.take("word", "a name").text
            self.take("mark", "`)`", ")")
            return Exists(name)
        return self._comparison()

    def _comparison(self) -> Filter:
        name = self.take("word", "a name, `not`, `exists` or `(`").text
        if self._has("word", "not"):
            self.take("word", "`in`", "in")
            return Not(In(name, self._values()))
        if self._has("word", "in"):
            return In(name, self._values())
        operator = self.take("op", "a comparison").text
        return Compare(name, operator, self._value())

    def _values(self) -> tuple[Value, ...]:
        self.take("mark", "`(`", "(")
        values = [self._value()]
        while self._has("mark", ","):
            values.append(self._value())
        self.take("mark", "`,` or `)`", ")")
        if len(values) > MOST_VALUES:
            raise Invalid(f"a list in the filter has {len(values)} values; at most {MOST_VALUES}", field="filter")
        return tuple(values)

    def _value(self) -> Value:
        if self._next.kind == "number":
            return float(self.take("number", "a value").text)
        text = self.take("text", '"text" in double quotes or a number').text
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
