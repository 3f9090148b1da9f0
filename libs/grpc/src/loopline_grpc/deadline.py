"""How long the call being served may still take; handed on to every call made on its behalf."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# On the monotonic clock, in seconds.
_deadline: ContextVar[float | None] = ContextVar("loopline_deadline", default=None)


def remaining_s() -> float | None:
    """Seconds left of the call being served, never negative; None outside of one and where there is no deadline."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def shorter(*timeouts: float | None) -> float | None:
    """The shortest of the given timeouts, or None when there is none."""
    return min((timeout for timeout in timeouts if timeout is not None), default=None)


@contextmanager
def due_in(seconds: float | None) -> Iterator[None]:
    """Sets the deadline for the block; None: there is none."""
    token = _deadline.set(None if seconds is None else time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)
