"""Questions that are always asked again, on a schedule and whenever a version is new: an answer that changed says that something did."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence

import numpy as np

from loopline_monitoring.app.monitor import Monitor
from loopline_monitoring.app.watching import Watching
from loopline_monitoring.model import Canaries, Change, Version
from loopline_monitoring.ports import Announcer, Asker, Embedder
from loopline_runtime.errors import LooplineError, Unavailable

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
# When none could be answered they are asked again so soon.
AGAIN_S = 30.0


class Asking:
    """Asks the canaries of a policy."""

    def __init__(self, monitor: Monitor, asker: Asker, embedder: Embedder, announcer: Announcer) -> None:
        self._monitor = monitor
        self._asker = asker
        self._embedder = embedder
        self._announcer = announcer

    async def run(self) -> None:
        """Without end; a service that is away is asked again at the next occasion."""
        async with asyncio.TaskGroup() as group:
            for canaries in self._monitor.watching.policy.canaries:
                group.create_task(self._keep_asking(canaries))

    async def _keep_asking(self, canaries: Canaries) -> None:
        known = set(self._versions(canaries))
        asked_at, occasion = float("-inf"), "schedule"
        while True:
            now = set(self._versions(canaries))
            new = sorted(now - known, key=lambda version: version.at)
            if new:
                occasion = f"{new[-1].what} {new[-1].value}"
            if new or time.monotonic() - asked_at > canaries.every_s:
                known, asked_at = now, time.monotonic()
                if await self.ask(canaries, occasion):
                    occasion = "schedule"
                else:
                    asked_at += min(0.0, AGAIN_S - canaries.every_s)
            await asyncio.sleep(LOOK_EVERY_S)

    def _versions(self, canaries: Canaries) -> Sequence[Version]:
        found = self._monitor.watching.versions.of(canaries.tenant, canaries.collection)
        return [version for version in found if version.what != "model_version"]

    async def ask(self, canaries: Canaries, occasion: str) -> int:
        """All of them, one after the other; returns how many were answered. The first answer of each that is one is the agreed one."""
        answered = 0
        for question in canaries.questions:
            try:
                await self._one(canaries, question, occasion)
                answered += 1
            except LooplineError as error:
                log.warning("the canary %r was not answered: %s", question[:60], error)
        return answered

    async def _one(self, canaries: Canaries, question: str, occasion: str) -> None:
        answer = await self._asker.ask(canaries.tenant, canaries.collection, question)
        place = (canaries.tenant, canaries.collection, question)
        agreed = self._monitor.watching.golden.get(place)
        if agreed is None and answer.abstained:
            raise Unavailable("there is nothing yet to answer it from; it is agreed upon when there is")
        (vector,) = await self._embedder.embed(canaries.tenant, [answer.text])
        if agreed is None:
            agreed = vector

            def agree(watching: Watching) -> Iterator[Change]:
                watching.golden.put(place, vector)
                return iter(())

            await self._monitor.do(agree)
        await self._announcer.canary_answered(
            canaries.tenant, canaries.collection, question, answer, cosine(agreed, vector), occasion
        )


def cosine(one: bytes, other: bytes) -> float:
    """Of two vectors, little-endian float32; 0 when they come from different models."""
    left, right = np.frombuffer(one, "<f4"), np.frombuffer(other, "<f4")
    if left.size != right.size:
        return 0.0
    length = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / length if length else 0.0
