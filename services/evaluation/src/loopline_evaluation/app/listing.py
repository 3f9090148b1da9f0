"""Conditions people write, as the store understands them."""

import re

from loopline_evaluation.model import Condition, Verdict
from loopline_runtime.errors import Invalid

_COMPARED = re.compile(r"\s*([a-z][\w./-]*)\s*(<=|>=|!=|<|>|=)\s*(-?\d+(?:\.\d+)?)\s*", re.IGNORECASE)
_NAMED = re.compile(r"\s*([a-z][\w./-]*)\s*(?:=\s*(pass|fail)|\s(missing))\s*", re.IGNORECASE)


def condition(written: str) -> Condition:
    """One condition, or Invalid saying how they look."""
    if match := _COMPARED.fullmatch(written):
        return Condition(match[1], match[2], float(match[3]))
    if match := _NAMED.fullmatch(written):
        if match[3]:
            return Condition(match[1], "missing")
        return Condition(match[1], "=", Verdict(match[2].lower()))
    raise Invalid(
        f"{written!r} is no condition; write one like faithfulness<0.5, support>=0.9, support=fail or faithfulness missing",
        field="conditions",
        reason="BAD_CONDITION",
    )
