"""The pool, as the service sees it: orders out, results in, a dead worker replaced."""

import asyncio
import itertools
import json
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loopline_ingestion.model import Cut, Extracted, Place, Reason, Refused, Work
from loopline_runtime.errors import Invalid, Unavailable

log = logging.getLogger(__name__)
MODULE = "loopline_ingestion.adapters.extraction.worker"
READY_WITHIN_S = 120.0
_TOLD = {
    "timed_out": "TIMED_OUT: reading it took longer than {seconds:g} s",
    "crashed": "CRASHED: its reader crashed; the file is damaged, or made to crash readers",
}


class WorkerPool:
    """One worker process, a child of it per document, `at_once` of them."""

    def __init__(
        self, tokenizer: Path, *, seconds: float, memory_bytes: int, most_characters: int, at_once: int
    ) -> None:
        self._arguments = [str(tokenizer), str(most_characters)]
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._permits = asyncio.Semaphore(at_once)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[str]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["WorkerPool"]:
        """Starts the worker in the background: it needs seconds to load, and a door must not wait for it."""
        keeper = asyncio.create_task(self._keep())
        try:
            yield self
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper

    async def ready(self) -> None:
        """Unavailable until the worker has loaded."""
        if not self._ready.is_set():
            raise Unavailable("the extraction worker is loading", reason="WORKER_LOADING", retry_after_s=2)

    async def extract(self, work: Work) -> Extracted | Refused:
        """The document's passages, or why there are none. Unavailable only when the worker itself is broken."""
        order = {
            "kind": "extract",
            "path": work.path,
            "source": work.source,
            "content_type": work.content_type,
            "metadata": dict(work.metadata),
            "cutting": asdict(work.cutting),
            "expectations_json": work.expectations_json,
        }
        result = await self._ordered(order)
        if "reasons" in result:
            return Refused(tuple(Reason(reason["code"], reason["text"]) for reason in result["reasons"]))
        cuts = tuple(_cut(plain) for plain in result["cuts"])
        return Extracted(result["title"], result["content_type"], cuts, result["characters"])

    async def check_suite(self, expectations_json: str) -> None:
        """Invalid when it is no Great Expectations suite."""
        if not expectations_json.strip():
            return
        result = await self._ordered({"kind": "check_suite", "expectations_json": expectations_json})
        if "reasons" in result:
            raise Invalid(result["reasons"][0]["text"], field="settings.expectations_json")

    async def _ordered(self, order: dict[str, Any]) -> dict[str, Any]:
        async with self._permits:
            try:
                await asyncio.wait_for(self._ready.wait(), READY_WITHIN_S)
            except TimeoutError as error:
                raise Unavailable("the extraction worker does not come up") from error
            handle, name = tempfile.mkstemp(prefix="loopline-extract-")
            os.close(handle)
            try:
                limits = {"result": name, "seconds": self._seconds, "memory_bytes": self._memory_bytes}
                status = await self._sent({**order, **limits})
                if status != "done":
                    code, _, sentence = _TOLD[status].partition(": ")
                    return {"reasons": [{"code": code, "text": sentence.format(seconds=self._seconds)}]}
                result: dict[str, Any] = json.loads(await asyncio.to_thread(Path(name).read_text))
                return result
            finally:
                Path(name).unlink(missing_ok=True)

    async def _sent(self, order: dict[str, Any]) -> str:
        number = next(self._numbers)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        process = self._process
        if process is None or process.stdin is None:
            raise Unavailable("the extraction worker is being replaced")
        try:
            process.stdin.write(json.dumps({**order, "number": number}).encode() + b"\n")
            await process.stdin.drain()
            return await answer
        except ConnectionError as error:
            raise Unavailable("the extraction worker died") from error
        finally:
            self._waiting.pop(number, None)

    async def _keep(self) -> None:
        """Starts the worker, again whenever it ends."""
        while True:
            environment = {
                "PATH": os.defpath,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
                "GX_ANALYTICS_ENABLED": "false",
                "TQDM_DISABLE": "1",
                "HOME": tempfile.gettempdir(),
            }
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULE, *self._arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
            )
            try:
                await self._listen(process)
            finally:
                self._ready.clear()
                self._process = None
                for answer in self._waiting.values():
                    if not answer.done():
                        answer.set_exception(Unavailable("the extraction worker died"))
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            log.error("the extraction worker ended with %s; a new one starts", process.returncode)
            await asyncio.sleep(1)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        async for line in process.stdout:
            answer = json.loads(line)
            if answer["status"] == "ready":
                self._ready.set()
            elif (waiting := self._waiting.get(answer["number"])) and not waiting.done():
                waiting.set_result(answer["status"])


def _cut(plain: dict[str, Any]) -> Cut:
    place = plain["place"]
    return Cut(plain["ordinal"], plain["text"], Place(**{**place, "headings": tuple(place["headings"])}))
