"""How a process begins and ends.

    def main() -> None:
        run(serve)

    async def serve() -> None:
        settings = EmbeddingSettings()
        with start_telemetry(settings.telemetry, "embedding"):
            async with open_line(...) as line, serving(...) as server, background(sweep(), name="sweep"):
                await until_stopped()

SIGTERM and SIGINT end `until_stopped` (or the start, when it is not reached yet), the blocks close in reverse order, and
the process exits 0. A setting that is missing or wrong exits 2 and is named; an expected failure exits 1, in one line.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar

from pydantic import ValidationError

from loopline_runtime.errors import LooplineError

EXIT_FAILED = 1
EXIT_SETTINGS = 2

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Stop:
    """What a signal does: while a service starts it cancels it, later it ends `until_stopped`."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._starting = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._ask)

    async def wait(self) -> None:
        self._starting = None
        await self.asked.wait()

    def forget(self) -> None:
        for number in _SIGNALS:
            self._loop.remove_signal_handler(number)

    def _ask(self) -> None:
        self.asked.set()
        if self._starting:
            self._starting.cancel()


_stop: ContextVar[_Stop | None] = ContextVar("loopline_stop", default=None)


async def until_stopped() -> None:
    """Waits for SIGTERM or SIGINT. A second signal, while the blocks close, ends the process as it would any other."""
    stop = _stop.get() or _Stop()
    try:
        await stop.wait()
    finally:
        stop.forget()


@asynccontextmanager
async def background(work: Coroutine[object, object, None], *, name: str) -> AsyncIterator[asyncio.Task[None]]:
    """Runs `work` beside the block; cancels it at the end. When it crashes, the block is cancelled and the crash raised."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work, name=name)
            yield task
            task.cancel()
    except BaseExceptionGroup as failures:
        if len(failures.exceptions) > 1:
            raise
        # One failure is raised as itself, so that nobody outside has to know that there was a group.
        raise failures.exceptions[0] from None


def run(service_main: Callable[[], Awaitable[None]]) -> None:
    """Runs a service to its end and exits: 0 when stopped, 1 after a failure that was expected, 2 for settings."""
    try:
        asyncio.run(_stoppable(service_main))
    except ValidationError as error:
        _leave("settings: " + "; ".join(_named(one["loc"], one["msg"]) for one in error.errors()), EXIT_SETTINGS)
    except LooplineError as error:
        _leave(f"{error.reason}: {error}", EXIT_FAILED)
    except ExceptionGroup as group:
        expected, others = group.split(LooplineError)
        if expected is None or others is not None:
            raise
        _leave("; ".join(f"{one.reason}: {one}" for one in _leaves(expected)), EXIT_FAILED)


async def _stoppable(service_main: Callable[[], Awaitable[None]]) -> None:
    stop = _Stop()
    _stop.set(stop)
    try:
        await service_main()
    except asyncio.CancelledError:
        if not stop.asked.is_set():
            raise
    finally:
        stop.forget()


def _leaves(group: BaseExceptionGroup[LooplineError]) -> list[LooplineError]:
    found: list[LooplineError] = []
    for one in group.exceptions:
        found += _leaves(one) if isinstance(one, BaseExceptionGroup) else [one]
    return found


def _named(location: tuple[int | str, ...], message: str) -> str:
    return f"{'__'.join(str(part).upper() for part in location)}: {message}"


def _leave(line: str, code: int) -> None:
    # One line, whatever a foreign error brought along.
    sys.stderr.write(" ".join(line.split()) + "\n")
    sys.exit(code)
