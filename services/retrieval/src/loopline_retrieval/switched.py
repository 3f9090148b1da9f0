"""Says index_switched: at once, and again until it is said, for the entry remembers which change was told last."""

import asyncio
import logging
from dataclasses import replace

from loopline_contracts.channels import INDEX_SWITCHED
from loopline_nats.line import Fact, Line
from loopline_retrieval import facts
from loopline_retrieval.ports import Serving
from loopline_runtime.errors import Aborted, LooplineError

log = logging.getLogger(__name__)
EVERY_S = 15.0


class Switched:
    """Tells the line which index version serves."""

    def __init__(self, line: Line, serving: Serving) -> None:
        self._line = line
        self._serving = serving

    async def tell(self, tenant: str, collection: str) -> None:
        """Says what was not said yet of one collection; what cannot be said now is said later."""
        try:
            await self._tell(tenant, collection)
        except LooplineError as error:
            log.warning("a switch of %s is said later: %s", collection, error)

    async def keep_telling(self) -> None:
        """Without end: whatever a stopped process left unsaid."""
        while True:
            try:
                for tenant, collection in await self._serving.all():
                    await self._tell(tenant, collection)
            except LooplineError as error:
                log.info("what serves cannot be told now: %s", error)
            await asyncio.sleep(EVERY_S)

    async def _tell(self, tenant: str, collection: str) -> None:
        while True:
            index, token = await self._serving.index(tenant, collection)
            if index is None or not index.changes or index.told == index.changes[-1].number:
                return None
            for change in index.changes:
                if change.number > index.told:
                    body = facts.switched(collection, change)
                    await self._line.say(
                        Fact(INDEX_SWITCHED, body, f"{tenant}/{collection}/switch-{change.number}", tenant)
                    )
            try:
                told = replace(index, told=index.changes[-1].number)
                return await self._serving.put_if(tenant, collection, told, token)
            except Aborted:
                continue
