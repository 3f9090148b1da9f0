"""What no message will ever do again is done here: lost batches are made again, uploads that nobody names are removed."""

import logging
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from loopline_ingestion.ports import History, Ledger, Uploads

log = logging.getLogger(__name__)
AT_ONCE = 200
# An upload is named by its fact a moment after it is complete; after this long, nobody will name it.
UPLOAD_KEPT_S = 3600.0
REVISION = attrgetter("tenant", "document_id", "revision")


class Sweeping:
    """Called every few seconds; safe to run in every replica."""

    def __init__(
        self, ledger: Ledger, history: History, uploads: Uploads, *, lost_after_s: float, aged_after_s: float
    ) -> None:
        self._ledger = ledger
        self._history = history
        self._uploads = uploads
        self._lost_after_s = lost_after_s
        self._aged_after_s = aged_after_s

    async def remake(self) -> int:
        """Has documents worked on again whose batches are gone, or that are not indexed after half their batches' life."""
        now = datetime.now(UTC)
        before, aged = (now - timedelta(seconds=after) for after in (self._lost_after_s, self._aged_after_s))
        found = await self._ledger.stuck(before, AT_ONCE)
        lost = [one for one in found if one.changed_at < aged or not await self._history.under_way(one)]
        # Whoever deals with a message notes it first: what moved while we looked is found in the ledger now.
        still = {REVISION(one) for one in await self._ledger.stuck(before, AT_ONCE)} if lost else set()
        lost = [one for one in lost if REVISION(one) in still]
        for document in lost:
            # Every replica names the attempt alike, so it is said once.
            await self._history.work_again(document, attempt=int(now.timestamp() / max(self._lost_after_s, 1)))
            await self._ledger.touched(document.tenant, document.document_id, now)
        if lost:
            log.warning("%d documents whose batches were lost are worked on again", len(lost))
        return len(lost)

    async def tidy(self) -> int:
        """Removes uploads that no fact names."""
        old = [upload.name for upload in await self._uploads.all() if upload.age_s > UPLOAD_KEPT_S]
        named = await self._ledger.uploads_named(old)
        unnamed = [name for name in old if name not in named]
        for name in unnamed:
            await self._uploads.delete(name)
        return len(unnamed)
