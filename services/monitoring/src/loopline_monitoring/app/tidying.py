"""Names that others chose, made fit to be kept: what a caller calls a feature must not stop the one process that watches."""

from dataclasses import replace
from functools import lru_cache

from loopline_monitoring.model import Observed

LONGEST = 200


def tidied(observed: Observed) -> Observed:
    """The observation with names of at most 200 printable characters; itself when they are."""
    if _fit((observed.id, observed.collection, observed.about, *observed.slices)) and _known_fit(
        tuple(observed.values)
    ):
        return observed
    return replace(
        observed,
        id=_name(observed.id),
        collection=_name(observed.collection),
        about=_name(observed.about),
        values={_name(signal): value for signal, value in observed.values.items()},
        slices=tuple(_name(part) for part in observed.slices),
    )


def _fit(names: tuple[str, ...]) -> bool:
    return all(len(name) <= LONGEST and name.isprintable() for name in names)


# Facts of one kind have the same signals.
_known_fit = lru_cache(512)(_fit)


def _name(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:LONGEST])
