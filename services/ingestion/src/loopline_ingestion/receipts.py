"""Erasures: what is ordered, what owners say of it, and the receipt that both make."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from loopline_runtime.errors import Invalid

MOST_REASON = 256


@dataclass(frozen=True, slots=True)
class Order:
    """A document must leave no trace, up to a revision: that of the order itself."""

    tenant: str
    document_id: str
    collection: str
    revision: int
    ordered_at: datetime
    reason: str = ""

    @property
    def receipt_id(self) -> str:
        """What its receipt is asked for by."""
        return f"{self.document_id}-{self.revision}"


@dataclass(frozen=True, slots=True)
class Removal:
    """What was looked for, removed and looked for again. `gone_by` None: an operator must act, as `disk` says."""

    what: str
    where: str
    count: int
    removed_at: datetime
    verified: str
    disk: str
    gone_by: datetime | None


@dataclass(frozen=True, slots=True)
class Disk:
    """A store's bytes: which store, how what was removed leaves its disk, and whether it has."""

    where: str
    how: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What one owner said, at once or on a later look. `event_id` tells a repeat."""

    owner: str
    event_id: str
    at: datetime
    removals: tuple[Removal, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """An order and what its owners said of it."""

    order: Order
    said: tuple[Said, ...]
    owners: tuple[str, ...]

    @property
    def silent(self) -> tuple[str, ...]:
        """Owners that have said nothing yet."""
        heard = {said.owner for said in self.said}
        return tuple(owner for owner in self.owners if owner not in heard)

    @property
    def gone_by(self) -> datetime | None:
        """By when all its bytes have left every disk; None while that cannot be said."""
        times = [removal.gone_by for said in self.said for removal in said.removals]
        known = [time for time in times if time is not None]
        return None if self.silent or len(known) < len(times) else max(known, default=None)


def checked_reason(reason: str) -> str:
    """The reason, or Invalid."""
    if len(reason) > MOST_REASON:
        raise Invalid(f"a reason has at most {MOST_REASON} characters", field="reason")
    return reason


def parted(receipt_id: str) -> tuple[str, int]:
    """Document and revision of a receipt's id; nothing that exists when it is none."""
    document_id, _, revision = receipt_id.rpartition("-")
    return document_id, int(revision) if revision.isdigit() and len(revision) < 20 else 0


def unheard(known: Sequence[Order], standing: Sequence[Order]) -> list[Order]:
    """The last order of each document that is known and that the stream (`standing`) lost."""
    held: dict[tuple[str, str], int] = {}
    for order in standing:
        key = (order.tenant, order.document_id)
        held[key] = max(held.get(key, 0), order.revision)
    last: dict[tuple[str, str], Order] = {}
    for order in sorted(known, key=lambda one: one.revision):
        last[order.tenant, order.document_id] = order
    return [order for key, order in last.items() if held.get(key, 0) < order.revision]
