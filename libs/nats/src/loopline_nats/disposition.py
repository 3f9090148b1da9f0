"""What the stream does with a message, decided by how its handler ended: one of the two maps of errors.

ended well                                  -> ack
Rejected                                    -> dead letter, then term
Unavailable                                 -> nak with backoff, never buried; the durable parks
anything else (a bug)                       -> nak with backoff; at the fifth try dead letter, then term
delivered 8 times and never ended (deaths)  -> dead letter HANDLER_DIED, before the handler runs again
no dead letter can be written               -> nak with the longest backoff, for as long as it takes
"""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from loopline_contracts.channels import Durable, dead_letter_subject
from loopline_contracts.streams import Bucket
from loopline_nats.codec import Incoming
from loopline_nats.envelope import REVISION
from loopline_nats.kv import Entries
from loopline_runtime.errors import LooplineError, Rejected, Unavailable

if TYPE_CHECKING:
    from loopline_nats.line import Line

log = logging.getLogger(__name__)

BACKOFF_S = (1.0, 5.0, 30.0, 120.0)
BUG_TRIES = 5
DEATHS = 8


class Outcome(StrEnum):
    """How a delivery ended; also the label of a metric."""

    DONE = "done"
    BURIED = "buried"
    PARKED = "parked"
    RETRIED = "retried"


class HandlerDied(Exception):
    """The process died each time it handled this message."""

    reason = "HANDLER_DIED"


@dataclass(frozen=True, slots=True)
class Tries:
    """Tries of one message that ended, so that what is missing from its deliveries were deaths."""

    unavailable: int = 0
    bugs: int = 0

    @property
    def ended(self) -> int:
        """All that came to a nak."""
        return self.unavailable + self.bugs


class Disposition:
    """Runs the handler of one durable and settles each message."""

    def __init__(self, line: "Line", durable: Durable) -> None:
        self._line = line
        self._durable = durable
        self._tries = Entries(line, Bucket.ATTEMPTS)

    async def settle(self, incoming: Incoming, handle: Callable[[Incoming], Awaitable[None]]) -> Outcome:
        """Handles one message and tells the stream. Raises nothing but cancellation."""
        tries = Tries()
        try:
            if incoming.delivery.deliveries > 1:
                tries = await self._tries_of(incoming)
                if incoming.delivery.deliveries - 1 - tries.ended >= DEATHS:
                    raise HandlerDied(f"{self._durable.name} died {DEATHS} times while handling it")
            if incoming.unreadable:
                raise incoming.unreadable
            await handle(incoming)
            await incoming.raw.ack()
        except (Rejected, HandlerDied) as error:
            return await self._bury(incoming, error)
        except Unavailable as error:
            log.warning("%s parks: %s", self._durable.name, error)
            return await self._retry(incoming, Tries(tries.unavailable + 1, tries.bugs), tries.unavailable)
        except Exception as error:
            log.exception("bug in %s while handling %s", self._durable.name, incoming.delivery.id)
            if tries.bugs + 1 >= BUG_TRIES:
                return await self._bury(incoming, error)
            await self._retry(incoming, Tries(tries.unavailable, tries.bugs + 1), tries.bugs)
            return Outcome.RETRIED
        return Outcome.DONE

    async def _bury(self, incoming: Incoming, error: Exception) -> Outcome:
        """Keeps the message as it came, under the durable's name, then ends it."""
        delivery = incoming.delivery
        dead_id = f"{self._durable.name}/{delivery.sequence}"
        batch = getattr(incoming.event, "batch", None)
        headers = {
            **delivery.headers,
            "Nats-Msg-Id": dead_id,
            REVISION: str(delivery.revision),
            "loopline-durable": self._durable.name,
            "loopline-reason": error.reason if isinstance(error, LooplineError | HandlerDied) else type(error).__name__,
            "loopline-error": " ".join(str(error).split())[:1000],
            "loopline-deliveries": str(delivery.deliveries),
            "loopline-origin-stream": self._durable.stream,
            "loopline-origin-sequence": str(delivery.sequence),
            "loopline-origin-subject": delivery.subject,
            # Batches have a sequence of their own; what counts is the revision of their document.
            "loopline-document-revision": str(batch.revision if batch else delivery.revision),
        }
        if batch:
            headers |= {"loopline-collection": batch.collection, "loopline-index-version": batch.index_version}
        headers.pop("Nats-Expected-Last-Subject-Sequence", None)
        headers.pop("Nats-Expected-Last-Subject-Sequence-Subject", None)
        try:
            subject = dead_letter_subject(self._durable.name, delivery.event, delivery.tenant)
            await self._line.publish(subject, incoming.raw.data, headers)
            await incoming.raw.term()
        except LooplineError as unburied:
            log.error("the dead letter of %s cannot be written: %s", dead_id, unburied)  # noqa: TRY400
            await incoming.raw.nak(delay=BACKOFF_S[-1])
            return Outcome.RETRIED
        log.warning("%s buried: %s", dead_id, headers["loopline-error"])
        return Outcome.BURIED

    async def _retry(self, incoming: Incoming, tries: Tries, before: int) -> Outcome:
        try:
            value = json.dumps([tries.unavailable, tries.bugs]).encode()
            await self._tries.put(self._key(incoming), value)
        except LooplineError as error:
            log.warning("the tries of a message cannot be noted: %s", error)
        await incoming.raw.nak(delay=BACKOFF_S[min(before, len(BACKOFF_S) - 1)])
        return Outcome.PARKED

    async def _tries_of(self, incoming: Incoming) -> Tries:
        entry = await self._tries.get(self._key(incoming))
        return Tries(*json.loads(entry.value)) if entry else Tries()

    def _key(self, incoming: Incoming) -> str:
        return f"{self._durable.name}.{incoming.delivery.sequence}"
