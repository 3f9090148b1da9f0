"""Facts about answers wait on disk until the bus has them: answering needs no bus, and nothing said is lost.

One file per fact, written whole and named by order; said in that order, removed when its stream has it. When the spool is full, a new
fact is refused and counted: the answer itself is never held up.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import Counter

from loopline_contracts.channels import ANSWER_FINISHED, ANSWER_STARTED
from loopline_generation import measures, plain
from loopline_generation.model import ERASED, Order, Record, quotes, scrubbed
from loopline_nats.content import Contents
from loopline_nats.line import Fact, Line
from loopline_runtime import names
from loopline_runtime.errors import Rejected, Unavailable

log = logging.getLogger(__name__)
LOST = Counter(names.ANSWER_FACTS_LOST_TOTAL, "Facts about answers that did not fit the spool")
RETRY_S = 1.0
Cleaned = Callable[[Record], Awaitable[Record]]


class Spool:
    """The port `Announcer`."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._fresh = asyncio.Event()
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._bytes = sum(path.stat().st_size for path in folder.glob("*.json"))

    async def started(self, record: Record) -> None:
        """See the port."""
        self._keep("started", record)

    async def finished(self, record: Record) -> None:
        """See the port."""
        measures.note(record)
        self._keep("finished", record)

    def _keep(self, kind: str, record: Record) -> None:
        data = json.dumps({"kind": kind, "record": plain.to_json(record)}).encode()
        if self._bytes + len(data) > self._most_bytes:
            LOST.inc()
            log.error("the spool is full: %s of answer %s is not said", kind, record.answer_id)
            return
        self._number += 1
        # By time, then by order within the process; the process id keeps two processes of one folder apart.
        name = f"{time.time_ns():020d}-{self._number:08d}-{os.getpid()}.json"
        unfinished = self._folder / f".{name}"
        unfinished.write_bytes(data)
        unfinished.rename(self._folder / name)
        self._bytes += len(data)
        self._fresh.set()

    async def erase(self, order: Order, answers: Sequence[str]) -> int:
        """See the port."""
        found = 0
        for path in sorted(self._folder.glob("*.json")):
            kept = json.loads(path.read_bytes())
            record = plain.from_json(kept["record"])
            if record.tenant != order.tenant or record.error == ERASED:
                continue
            if quotes(record, order.document, order.revision) or record.answer_id in answers:
                unfinished = self._folder / f".{path.name}"
                unfinished.write_text(json.dumps({**kept, "record": plain.to_json(scrubbed(record))}))
                unfinished.rename(path)
                found += 1
        return found

    async def say(self, line: Line, contents: Contents, cleaned: Cleaned) -> None:
        """Says what waits, in order, without end; what quotes a document that was erased meanwhile is said without its words."""
        while True:
            self._fresh.clear()
            for path in sorted(self._folder.glob("*.json")):
                await self._said(path, line, contents, cleaned)
            try:
                await asyncio.wait_for(self._fresh.wait(), timeout=RETRY_S * 5)
            except TimeoutError:
                continue

    async def _said(self, path: Path, line: Line, contents: Contents, cleaned: Cleaned) -> None:
        data = path.read_bytes()
        kept: dict[str, Any] = json.loads(data)
        record = plain.from_json(kept["record"])
        while True:
            try:
                content = await contents.of(record.tenant)
                await line.say(_fact(kept["kind"], plain.shown(await cleaned(record), content.shown)))
                break
            except Unavailable as error:
                log.info("%s of an answer waits: %s", kept["kind"], error)
                await asyncio.sleep(RETRY_S)
            except Rejected:
                LOST.inc()
                log.exception("%s of answer %s cannot be said", kept["kind"], record.answer_id)
                break
        path.unlink(missing_ok=True)
        self._bytes -= len(data)


def _fact(kind: str, record: Record) -> Fact[Any]:
    if kind == "started":
        return Fact(ANSWER_STARTED, plain.started(record), f"{record.answer_id}/started", record.tenant)
    return Fact(ANSWER_FINISHED, plain.finished(record), f"{record.answer_id}/finished", record.tenant)
