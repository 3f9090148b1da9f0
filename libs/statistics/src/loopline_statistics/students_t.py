"""Student's t distribution by itself: scipy, the only other thing it would be needed for here, is half of an image.

The regularised incomplete beta function as a continued fraction, evaluated by Lentz's method (W. H. Press et al., "Numerical
Recipes", 3rd edition, section 6.4); within 1e-9 of scipy's.
"""

import math

_TINY = 1e-300


def cdf(value: float, freedom: float) -> float:
    """The chance of a value as small as this or smaller, with `freedom` degrees of freedom, 1 or more."""
    if math.isinf(value):
        return 0.0 if value < 0 else 1.0
    square = value * value
    if square < freedom:
        return 0.5 + math.copysign(_incomplete_beta(0.5, freedom / 2, square / (freedom + square)) / 2, value)
    tail = _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + square)) / 2
    return tail if value < 0 else 1 - tail


def quantile(share: float, freedom: float) -> float:
    """The value below which this share (0 to 1, both apart) lies."""
    if share > 0.5:
        return -quantile(1 - share, freedom)
    low = -1.0
    while cdf(low, freedom) > share:
        low *= 2
    high = low / 2 if low < -1 else 0.0
    for _ in range(80):
        middle = (low + high) / 2
        if cdf(middle, freedom) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    numerator, denominator = 1.0, 1 / (1 - (a + b) * x / (a + 1) or _TINY)
    value = denominator
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            denominator = 1 / (1 + step * denominator or _TINY)
            numerator = 1 + step / numerator or _TINY
            value *= numerator * denominator
        if abs(numerator * denominator - 1) < 1e-15:
            break
    return value
