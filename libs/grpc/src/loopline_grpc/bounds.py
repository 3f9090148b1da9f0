"""How many calls may be in flight, in all and of one tenant. The rest is refused at once: a queue only hides overload."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from loopline_runtime.errors import Overloaded

_RETRY_AFTER_S = 0.5


class Bounds:
    """Counts the calls in flight."""

    def __init__(self, at_once: int, at_once_per_tenant: int) -> None:
        self._at_once = at_once
        self._at_once_per_tenant = at_once_per_tenant
        self._in_flight: Counter[str] = Counter()

    @contextmanager
    def admitted(self, tenant: str) -> Iterator[None]:
        """A place for one call of this tenant; Overloaded when there is none."""
        if self._in_flight.total() >= self._at_once:
            raise _full("the service has all hands full", "OVERLOADED")
        if self._in_flight[tenant] >= self._at_once_per_tenant:
            raise _full(f"the tenant {tenant} has {self._at_once_per_tenant} calls in flight", "TENANT_OVERLOADED")
        self._in_flight[tenant] += 1
        try:
            yield
        finally:
            self._in_flight[tenant] -= 1
            if not self._in_flight[tenant]:
                del self._in_flight[tenant]


def _full(message: str, reason: str) -> Overloaded:
    # Spread, or everybody who was refused comes back at the same moment.
    return Overloaded(message, reason=reason, retry_after_s=_RETRY_AFTER_S * random.uniform(1, 2))  # noqa: S311 - no secret
