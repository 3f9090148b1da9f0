"""Fixtures for tests over a real bus: `pytest_plugins = ["loopline_testing.fixtures"]`, or installed as a plugin."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from loopline_nats.line import Line, open_line
from loopline_nats.provision import apply
from loopline_runtime.settings import Nats
from loopline_testing.nats import NatsServer, nats_server
from loopline_testing.postgres import PostgresServer, postgres_server

# A laptop's disk is small: the byte limits of the table, divided.
SCALE = 1 / 64
# How a suite that is skipped begins to say why.
NOT_RUN = "NOT RUN"


def bus_settings(server: NatsServer) -> Nats:
    """How a service under test reaches it; fetches are short so that stops are."""
    return Nats(url=server.url, fetch_s=1.0, publish_timeout_s=2.0)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Servers that are somewhere else."""
    parser.addoption("--tgi-url", default="", help="a real TGI that the suite of model servers runs against too")
    parser.addoption("--tei-url", default="", help="a real TEI that the embedding service's suite runs against too")


@pytest.fixture
def bus() -> Iterator[NatsServer]:
    """A nats-server of the test's own, not provisioned."""
    with nats_server() as server:
        yield server


@pytest_asyncio.fixture
async def provisioned(bus: NatsServer) -> AsyncIterator[NatsServer]:
    """The same, with all streams, durables and buckets."""
    async with open_line(bus_settings(bus), "operator") as line:
        await apply(line, scale=SCALE)
    yield bus


@pytest_asyncio.fixture
async def line(provisioned: NatsServer) -> AsyncIterator[Line]:
    """A connection for looking at the bus from outside."""
    async with open_line(bus_settings(provisioned), "operator") as connected:
        yield connected


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for the whole session; `postgres.new_database()` is a database of the test's own."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Suites that need what is not on this machine are named last, with how to get it."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in skipped if isinstance(report.longrepr, tuple)}
    for reason in sorted(reason for reason in reasons if reason.startswith(NOT_RUN)):
        terminalreporter.write_line(reason, yellow=True, bold=True)
