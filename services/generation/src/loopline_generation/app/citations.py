"""Citations [n]: checked while they stream."""

import re

_CITATION = re.compile(r"\s?\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\]")
# What may still become a citation, with the space before it, when more text comes.
_UNFINISHED = re.compile(r"(?:\s?\[[\d,\s]{0,24}|\s)$")


def numbers_in(text: str) -> list[int]:
    """Every n of every [n] or [n, m], in order."""
    return [int(number) for match in _CITATION.finditer(text) for number in match[1].split(",")]


def without(text: str) -> str:
    """The text with no citations."""
    return _CITATION.sub("", text)


class Citations:
    """Takes out numbers that name no passage; holds back what may be the beginning of one."""

    def __init__(self, passages: int) -> None:
        self._passages = passages
        self._held = ""
        self.invalid: list[int] = []

    def passed(self, text: str) -> str:
        """What of the text so far may be shown."""
        self._held += text
        unfinished = _UNFINISHED.search(self._held)
        ready = self._held[: unfinished.start()] if unfinished else self._held
        self._held = self._held[len(ready) :]
        return _CITATION.sub(self._checked, ready)

    def rest(self) -> str:
        """What was held back, at the end."""
        rest, self._held = self._held, ""
        return _CITATION.sub(self._checked, rest)

    def _checked(self, match: re.Match[str]) -> str:
        named = [int(number) for number in match[1].split(",")]
        good = [number for number in named if 1 <= number <= self._passages]
        self.invalid += [number for number in named if number not in good]
        space = " " if match[0][0].isspace() else ""
        return f"{space}[{', '.join(map(str, good))}]" if good else ""
