"""Which values of a stream its sample keeps: even draws that depend on the number of values and nothing else (splitmix64)."""

from functools import lru_cache
from typing import Final

import numpy as np

_ALL: Final = 2**64 - 1
_BLOCK: Final = 1024
# Signals of one collection have about as many values, so few blocks serve all.
_BLOCKS_KEPT: Final = 512


def draw(number: int) -> int:
    """An even 64-bit draw."""
    mixed = (number * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & _ALL
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _ALL
    return mixed ^ (mixed >> 31)


def replaced(number: int, places: int) -> int | None:
    """The place that the value of this number, counted from 1, takes in a full sample of so many; None for most."""
    return _taken(number // _BLOCK, places).get(number)


def chosen(first: int, last: int, places: int) -> list[int]:
    """Those numbers from `first` to `last` whose values take a place."""
    taken = [_taken(block, places) for block in range(first // _BLOCK, last // _BLOCK + 1)]
    return [number for number in range(first, last + 1) if number in taken[number // _BLOCK - first // _BLOCK]]


@lru_cache(_BLOCKS_KEPT)
def _taken(block: int, places: int) -> dict[int, int]:
    """By number, for a block of numbers at once: what `draw(number) % number` is where it is a place."""
    numbers = np.arange(max(1, block * _BLOCK), (block + 1) * _BLOCK, dtype=np.uint64)
    odd, shift, first, second = (np.uint64(one) for one in (0x9E3779B97F4A7C15, 30, 0xBF58476D1CE4E5B9, 27))
    mixed = numbers * odd + odd
    mixed = (mixed ^ (mixed >> shift)) * first
    mixed = (mixed ^ (mixed >> second)) * np.uint64(0x94D049BB133111EB)
    drawn = (mixed ^ (mixed >> np.uint64(31))) % numbers
    kept = drawn < np.uint64(places)
    return dict(zip(numbers[kept].tolist(), drawn[kept].tolist(), strict=True))
