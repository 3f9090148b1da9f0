"""A command does not wait for ever for a bus that is not there."""

import pytest

from loopline_nats.line import open_line
from loopline_runtime.errors import TimedOut
from loopline_runtime.settings import Nats
from loopline_testing.nats import NatsServer, free_port


async def test_a_bus_that_is_not_there_is_told_in_time():
    with pytest.raises(TimedOut, match="nats://127"):
        async with open_line(Nats(url=f"nats://127.0.0.1:{free_port()}", connect_s=0.5), "operator"):
            pass


async def test_a_service_is_ready_when_the_bus_keeps_what_it_publishes(provisioned: NatsServer):
    async with open_line(Nats(url=provisioned.url), "ingestion") as line:
        await line.ready()
