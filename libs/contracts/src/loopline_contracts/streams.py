"""The one table of streams: what each keeps, for how long, and what a publisher sees when it is full."""

from dataclasses import dataclass
from enum import StrEnum

from loopline_contracts.channels import CHANNELS, DEAD_LETTER, DEAD_LETTER_STREAM, DOCUMENT_ACCEPTED, DURABLES, ERASURES

DAY_S = 86_400.0
# A service is ready when a publish there is acknowledged.
CANARY, CANARY_STREAM = "loopline.canary", "CANARY"
# Placeholders that move a stream's sequence on; nobody hears them.
SKIPPED = "loopline.skipped"
MIB, GIB = 1024**2, 1024**3


class Kept(StrEnum):
    """What losing the stream would mean."""

    TRUTH = "truth"
    DERIVED = "derived"


class Full(StrEnum):
    """What happens at the byte limit."""

    # A publisher gets Overloaded and nothing acknowledged is dropped.
    REFUSE = "refuse"
    # The oldest facts go first; for facts nobody must act on.
    DROP_OLDEST = "drop_oldest"


@dataclass(frozen=True, slots=True)
class Stream:
    """One row. `max_age_s` 0: kept for ever; `duplicates_s` is the window in which a repeated id is dropped."""

    name: str
    max_age_s: float
    max_bytes: int
    full: Full
    kept: Kept
    duplicates_s: float = 120.0

    @property
    def subjects(self) -> tuple[str, ...]:
        """The facts it carries, and the replays to the durables that read it."""
        if self.name == CANARY_STREAM:
            return (f"{CANARY}.>",)
        if self.name == DEAD_LETTER_STREAM:
            return (f"{DEAD_LETTER}.>",)
        facts = (f"{channel.subject}.>" for channel in CHANNELS if channel.stream == self.name)
        replays = (f"{durable.replay_subject}.>" for durable in DURABLES if durable.stream == self.name)
        # The one stream whose sequences are revisions: it may have to be moved past what others have seen.
        skipped = (f"{SKIPPED}.{self.name}",) if self.name == DOCUMENT_ACCEPTED.stream else ()
        return (*facts, *replays, *skipped)


STREAMS: tuple[Stream, ...] = (
    Stream("INGESTION", 0, 4 * GIB, Full.REFUSE, Kept.TRUTH),
    Stream("INGESTION_BATCHES", DAY_S, 4 * GIB, Full.REFUSE, Kept.DERIVED),
    Stream("EMBEDDING_BATCHES", DAY_S, 8 * GIB, Full.REFUSE, Kept.DERIVED),
    Stream("RETRIEVAL", 7 * DAY_S, 1 * GIB, Full.REFUSE, Kept.DERIVED),
    Stream("RETRIEVAL_QUERIES", 7 * DAY_S, 1 * GIB, Full.DROP_OLDEST, Kept.DERIVED),
    # What was erased, where and how it was verified: what receipts are made of.
    Stream(ERASURES, 0, 1 * GIB, Full.REFUSE, Kept.TRUTH),
    Stream("GENERATION", 30 * DAY_S, 4 * GIB, Full.REFUSE, Kept.TRUTH),
    Stream("EVALUATION", 30 * DAY_S, 1 * GIB, Full.REFUSE, Kept.TRUTH),
    # A repeat is dropped for longer: predictions come from callers, alarms from an outbox that may have waited.
    Stream("MONITORING", 30 * DAY_S, 1 * GIB, Full.REFUSE, Kept.TRUTH, duplicates_s=3600.0),
    Stream(DEAD_LETTER_STREAM, 0, 1 * GIB, Full.REFUSE, Kept.TRUTH),
    Stream(CANARY_STREAM, 60.0, 1 * MIB, Full.DROP_OLDEST, Kept.DERIVED, duplicates_s=1.0),
)
STREAM_BY_NAME = {stream.name: stream for stream in STREAMS}


class Bucket(StrEnum):
    """Key-value and object buckets; made by the same provisioning step."""

    # API keys, hashed: key = SHA-256 hex of the key, value = JSON of loopline_runtime.access.Key
    ACCESS = "ACCESS"
    # Per document in the index: revision, deleted, batches seen
    RETRIEVAL_DOCUMENTS = "RETRIEVAL_DOCUMENTS"
    # Per tenant and collection: which index version serves
    RETRIEVAL_SERVING = "RETRIEVAL_SERVING"
    # Per tenant: content of events full, hashed or absent
    TENANTS = "TENANTS"
    # Per durable and message: tries that ended in a nak, so that deaths can be told from outages
    ATTEMPTS = "ATTEMPTS"
    # Raw bytes of documents, by upload id (object store)
    UPLOADS = "UPLOADS"
