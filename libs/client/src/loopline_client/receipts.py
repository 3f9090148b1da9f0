"""Receipts of erasures as plain frozen objects."""

from dataclasses import dataclass
from datetime import UTC, datetime

from loopline.ingestion.v1 import events_pb2 as events
from loopline.ingestion.v1 import ingestion_service_pb2 as documents


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed, where, how many, since when no interface shows it, how that was verified, and how its bytes leave the disk.

    `gone_by`: by when they have; None: an operator must act, as `disk` says.
    """

    what: str
    where: str
    count: int
    removed_at: datetime
    verified: str
    disk: str
    gone_by: datetime | None


@dataclass(frozen=True, slots=True)
class OwnersWord:
    """What one owner of data said; once more when something came late or was restored."""

    owner: str
    said_at: datetime
    removals: tuple[Removal, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """An erasure: `silent` names the owners that have not answered; `complete` when there are none."""

    receipt_id: str
    document_id: str
    collection: str
    reason: str
    ordered_at: datetime
    complete: bool
    gone_by: datetime | None
    silent: tuple[str, ...]
    owners: tuple[OwnersWord, ...]


def receipt(found: documents.Erasure) -> Receipt:
    """From its message."""
    return Receipt(
        found.receipt_id,
        found.document_id,
        found.collection,
        found.reason,
        found.ordered_at.ToDatetime(UTC),
        found.complete,
        found.gone_by.ToDatetime(UTC) if found.HasField("gone_by") else None,
        tuple(found.silent),
        tuple(
            OwnersWord(one.owner, one.said_at.ToDatetime(UTC), tuple(_removal(removal) for removal in one.removals))
            for one in found.owners
        ),
    )


def _removal(found: events.Removal) -> Removal:
    return Removal(
        found.what,
        found.where,
        found.count,
        found.removed_at.ToDatetime(UTC),
        found.verified,
        found.disk,
        found.gone_by.ToDatetime(UTC) if found.HasField("gone_by") else None,
    )
