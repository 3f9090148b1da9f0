"""The fetch loop of one durable: as many messages as there are free hands, each settled on its own.

FastStream's own loop awaits a pulled batch or prefetches beyond its workers; this one asks the server for exactly as many
messages as can be handled now, so a slow message holds back no other and nothing prefetched waits without a sign of life.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream.middlewares import AckPolicy
from faststream.nats.configs import NatsBrokerConfig
from faststream.nats.schemas import JStream, PullSub
from faststream.nats.subscriber.config import NatsSubscriberConfig, NatsSubscriberSpecificationConfig
from faststream.nats.subscriber.specification import NotIncludeSpecifation
from faststream.nats.subscriber.usecases import PullStreamSubscriber
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import ConsumerConfig

from loopline_contracts.channels import Durable
from loopline_runtime.errors import Unavailable

log = logging.getLogger(__name__)

OVERDUE = 3
# Statuses of a pull request: it found nothing, or its time is over; the server is alive.
USED_UP, HEARTBEAT = ("404", "408"), "100"
REFUSED_S = 0.5
PARK_S = (1.0, 5.0, 10.0)
Probe = Callable[[], Awaitable[None]]


class FetchLoop(PullStreamSubscriber):
    """A FastStream subscriber with a fetch loop of its own."""

    def __init__(self, broker: NatsBrokerConfig, durable: Durable, *, fetch_s: float, probe: Probe | None) -> None:
        config = ConsumerConfig(durable_name=durable.name, filter_subjects=list(durable.filters))
        calls: CallsCollection[Msg] = CallsCollection()
        super().__init__(
            NatsSubscriberConfig(
                subject="", sub_config=config, _outer_config=broker, _ack_policy=AckPolicy.MANUAL, no_reply=True
            ),
            NotIncludeSpecifation(
                _outer_config=broker,
                calls=calls,
                specification_config=NatsSubscriberSpecificationConfig(
                    subject="", queue=None, title_=None, description_=None, include_in_schema=False
                ),
            ),
            calls,
            queue="",
            pull_sub=PullSub(batch_size=durable.at_once, timeout=fetch_s),
            stream=JStream(durable.stream, declare=False),
        )
        self.durable = durable
        self._fetch_s = fetch_s
        self._probe = probe
        self._in_work: dict[asyncio.Task[Any], Msg] = {}
        self._subscribed: Subscription | None = None
        self._asked = 0
        self._turn = asyncio.Event()
        self._parked = False
        self._last_fetch = time.monotonic()

    @property
    def last_fetch_age_s(self) -> float:
        """Seconds since the loop last asked the server, or saw that its hands were full."""
        return time.monotonic() - self._last_fetch

    @property
    def overdue(self) -> bool:
        """Whether the loop hangs."""
        return self.running and self.last_fetch_age_s > OVERDUE * self._fetch_s

    @property
    def parked(self) -> bool:
        """Whether it waits for a dependency."""
        return self._parked

    def park(self) -> None:
        """Stops fetching until the probe answers (or, without one, for a while)."""
        if not self._parked:
            self._parked = True
            self.add_task(self._wait_out, restart_on_failure=False)

    def restart(self) -> None:
        """Begins the loop anew; for one that is overdue."""
        for task in self.tasks:
            task.cancel()
        self.tasks.clear()
        self._asked, self._last_fetch, self._parked = 0, time.monotonic(), False
        self._begin()

    async def stop(self) -> None:
        """Stops fetching; whoever stops the line waits for `finished` first."""
        self.running = False
        self._turn.set()
        for task in self.tasks:
            task.cancel()
        self.tasks.clear()
        if self._subscribed is not None:
            await self._subscribed.unsubscribe()
            self._subscribed = None

    async def finished(self, grace_s: float) -> None:
        """Waits for messages in work; after the grace they are cancelled, which naks them."""
        if not self._in_work:
            return
        _, late = await asyncio.wait(self._in_work, timeout=grace_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1)

    async def _create_subscription(self) -> None:
        if self._subscribed is None:
            self._inbox = self.connection.new_inbox()
            self._subscribed = await self.connection.subscribe(self._inbox, cb=self._arrived)
            self._begin()

    def _begin(self) -> None:
        self.add_task(self._ask)
        self.add_task(self._keep_alive)

    async def _ask(self) -> None:
        """Asks for as many messages as there are free hands, one request at a time."""
        next_subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream.name}.{self.durable.name}"
        expires_ns = int(self._fetch_s * 1e9)
        asked_at = 0.0
        while self.running or not self.tasks:
            free = self.durable.at_once - len(self._in_work)
            if self._asked and time.monotonic() - asked_at > self._fetch_s + 1:
                self._asked = 0  # the request is lost (a reconnect); a new one is due
            if not self._parked and free > 0 and not self._asked:
                asked_at, self._asked = time.monotonic(), free
                request = json.dumps({"batch": free, "expires": expires_ns}).encode()
                await self.connection.publish(next_subject, request, reply=self._inbox)
            self._last_fetch = time.monotonic()
            self._turn.clear()
            try:
                await asyncio.wait_for(self._turn.wait(), timeout=self._fetch_s)
            except TimeoutError:
                continue

    async def _arrived(self, msg: Msg) -> None:
        """A message, or a status that ends the request: none left, expired, server going away."""
        if not msg.reply and msg.headers and "Status" in msg.headers:
            if msg.headers["Status"] in USED_UP:
                self._asked = 0
                self._turn.set()
            elif msg.headers["Status"] != HEARTBEAT:
                # No consumer, no stream, a server that goes away: asking again at once would only heat the room.
                self._asked = 0
                asyncio.get_running_loop().call_later(REFUSED_S, self._turn.set)
            return
        self._asked = max(0, self._asked - 1)
        if not self.running:
            await msg.nak()
            return
        task = asyncio.create_task(self.consume(msg))
        self._in_work[task] = msg
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._in_work.pop(task, None)
        if not self._asked:
            self._turn.set()

    async def _keep_alive(self) -> None:
        """Tells the server that long work is still going on."""
        while True:
            await asyncio.sleep(self.durable.ack_wait_s / 3)
            for msg in list(self._in_work.values()):
                if not msg._ackd:
                    await msg.in_progress()

    async def _wait_out(self) -> None:
        tries = 0
        while True:
            await asyncio.sleep(PARK_S[min(tries, len(PARK_S) - 1)])
            tries += 1
            self._last_fetch = time.monotonic()
            if self._probe is None:
                break
            try:
                await self._probe()
                break
            except Unavailable as error:
                log.info("%s stays parked: %s", self.durable.name, error)
        self._parked = False
        self._turn.set()
