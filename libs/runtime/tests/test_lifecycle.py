"""How processes begin and end, in real processes."""

import asyncio
import signal
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from loopline_runtime.errors import Invalid, Unavailable
from loopline_runtime.lifecycle import background

PREAMBLE = """
import asyncio, os, signal, sys
from loopline_runtime.errors import Unavailable
from loopline_runtime.lifecycle import background, run, until_stopped
from loopline_runtime.settings import Group, ServiceSettings
"""


def process(body: str, *, environment: dict[str, str] | None = None, signal_after: str = "") -> Any:
    """Runs a small service to its end; sends SIGTERM when it has printed `signal_after`."""
    with subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as running:
        if signal_after:
            assert running.stdout is not None
            assert running.stdout.readline().strip() == signal_after
            running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=20)
    return running.returncode, out, err


def test_a_service_told_to_stop_closes_its_blocks_and_exits_0() -> None:
    code, out, err = process(
        """
        async def sweep():
            try:
                await asyncio.sleep(60)
            finally:
                print("sweep cancelled")

        async def serve():
            async with background(sweep(), name="sweep"):
                await asyncio.sleep(0)
                print("ready", flush=True)
                await until_stopped()
                print("stopping")

        run(serve)
        """,
        signal_after="ready",
    )
    assert (code, out.split("\n"), err) == (0, ["stopping", "sweep cancelled", ""], "")


def test_a_service_told_to_stop_while_it_starts_stops_too() -> None:
    code, out, err = process(
        """
        async def serve():
            try:
                print("starting", flush=True)
                await asyncio.sleep(60)
            finally:
                print("closed")

        run(serve)
        """,
        signal_after="starting",
    )
    assert (code, out, err) == (0, "closed\n", "")


def test_a_second_signal_ends_a_service_that_does_not_close() -> None:
    code, _, _ = process(
        """
        async def serve():
            print("ready", flush=True)
            await until_stopped()
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)

        run(serve)
        """,
        signal_after="ready",
    )
    assert code == -signal.SIGTERM


def test_a_missing_setting_is_named_in_one_line() -> None:
    code, _, err = process(
        """
        class Tgi(Group):
            url: str
            timeout_s: float = 1.0

        class Settings(ServiceSettings):
            tgi: Tgi

        async def serve():
            Settings()

        run(serve)
        """,
        environment={"TGI__TIMEOUT_S": "soon"},
    )
    assert code == 2
    assert err.count("\n") == 1
    assert "TGI__URL: Field required" in err
    assert "TGI__TIMEOUT_S: Input should be a valid number" in err


def test_an_expected_failure_at_boot_is_one_line() -> None:
    code, _, err = process(
        """
        async def serve():
            async with asyncio.TaskGroup() as group:
                group.create_task(connect())

        async def connect():
            raise Unavailable("the bus at nats://127.0.0.1:4222 does not answer", reason="UNREACHABLE")

        run(serve)
        """
    )
    assert (code, err) == (1, "UNREACHABLE: the bus at nats://127.0.0.1:4222 does not answer\n")


def test_a_bug_is_told_whole() -> None:
    code, _, err = process("""
        async def serve():
            raise KeyError("oh")

        run(serve)
    """)
    assert code == 1
    assert "Traceback" in err


async def test_a_crash_in_the_background_ends_the_block_with_itself() -> None:
    async def crash() -> None:
        raise Unavailable("the sweeper lost its store")

    async def serve() -> None:
        async with background(crash(), name="sweep"):
            await asyncio.sleep(30)

    with pytest.raises(Unavailable, match="the sweeper"):
        await serve()


async def test_background_work_that_ends_lets_the_block_go_on() -> None:
    async def brief() -> None:
        await asyncio.sleep(0)

    async with background(brief(), name="brief") as task:
        await asyncio.sleep(0.01)
        assert task.done()


async def test_an_error_of_the_block_is_raised_as_itself() -> None:
    async def long() -> None:
        await asyncio.sleep(30)

    with pytest.raises(Invalid):
        async with background(long(), name="long"):
            raise Invalid("no")
