"""Letters are carried: each is tried until it was accepted, in order for each alarm, and taken out then."""

import asyncio
import logging
import time

from loopline_monitoring.app.monitor import Monitor
from loopline_monitoring.ports import Letter, Receiver, State
from loopline_runtime.errors import Rejected, Unavailable

log = logging.getLogger(__name__)
AT_ONCE = 50
LOOK_EVERY_S = 5.0
AGAIN_S = (1.0, 5.0, 30.0, 120.0, 600.0)
# A receiver that refuses is asked again so often before a letter is given up.
MOST_REFUSALS = 8


class Posting:
    """Carries to one receiver."""

    def __init__(self, to: str, receiver: Receiver, state: State, monitor: Monitor) -> None:
        self._to = to
        self._receiver = receiver
        self._state = state
        self._monitor = monitor

    async def run(self) -> None:
        """Without end."""
        while True:
            try:
                carried = await self.carry()
            except Unavailable as error:
                log.warning("letters cannot be read now: %s", error)
                carried = 0
            if carried < AT_ONCE:
                await self._news()

    async def carry(self) -> int:
        """Those that are due; returns how many were looked at."""
        letters = await self._state.letters(self._to, time.time(), AT_ONCE)
        waiting: set[str] = set()
        for letter in letters:
            if letter.change.alarm.alarm_id in waiting:
                continue
            if not await self._carried(letter):
                waiting.add(letter.change.alarm.alarm_id)
        return len(letters)

    async def _carried(self, letter: Letter) -> bool:
        try:
            await self._receiver.tell(letter)
        except Unavailable as error:
            log.warning("%s was not told of alarm %s: %s", self._to, letter.id, error)
            await self._state.failed(letter.id, time.time() + AGAIN_S[min(letter.tries, len(AGAIN_S) - 1)])
            return False
        except Rejected as error:
            log.warning("%s refuses alarm %s: %s", self._to, letter.id, error)
            if letter.tries < MOST_REFUSALS:
                await self._state.failed(letter.id, time.time() + AGAIN_S[min(letter.tries, len(AGAIN_S) - 1)])
                return False
        await self._state.sent(letter.id)
        return True

    async def _news(self) -> None:
        self._monitor.posted.clear()
        try:
            await asyncio.wait_for(self._monitor.posted.wait(), LOOK_EVERY_S)
        except TimeoutError:
            return
