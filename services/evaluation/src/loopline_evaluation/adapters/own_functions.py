"""Metrics of one's own: each NAME.py of a folder, each in a process of its own, which may hang, crash or explode alone.

def score(question, answer, passages, reference): a number, (number, note), or None when there is nothing to score.
VERSION = "1"; SCALE = (0, 1); PASSES_AT = 0.5; LOWER_IS_BETTER = False
"""

import asyncio
import json
import math
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from loopline_evaluation.app.metrics.case import verdict
from loopline_evaluation.model import Answer, Evaluator, Evidence, Missing, Outcome, Reason, Scale, Score

MODULE = "loopline_evaluation.adapters.own_worker"
LAST_WORDS = 4096


class OwnFunctions:
    """The port `Functions`."""

    def __init__(self, folder: Path, seconds: float, memory_bytes: int) -> None:
        self._folder = folder
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._workers: dict[str, _Worker] = {}

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, *, seconds: float, memory_bytes: int) -> AsyncIterator["OwnFunctions"]:
        """Workers start when they are first needed, and end here."""
        functions = cls(folder, seconds, memory_bytes)
        try:
            yield functions
        finally:
            for worker in functions._workers.values():
                await worker.end()

    def names(self) -> list[str]:
        """See the port."""
        return [path.stem for path in self._files()]

    async def scores(self, answer: Answer, names: Sequence[str] | None = None) -> list[Score]:
        """See the port."""
        asked = [path for path in self._files() if names is None or path.stem in names]
        return list(await asyncio.gather(*(self._score(path, answer) for path in asked)))

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.py"))

    async def _score(self, path: Path, answer: Answer) -> Score:
        worker = self._workers.get(path.stem)
        if worker is None or worker.stale:
            if worker:
                await worker.end()
            worker = self._workers[path.stem] = _Worker(path, self._memory_bytes)
        if answer.outcome is not Outcome.COMPLETED:
            return worker.missing(Reason.NOT_COMPLETED, f"the answer ended {answer.outcome.value}")
        if not answer.readable:
            return worker.missing(Reason.NO_CONTENT, "the events of this tenant carry no text")
        return await worker.score(answer, self._seconds)


class _Worker:
    """One metric's process, started again after it ended."""

    def __init__(self, path: Path, memory_bytes: int) -> None:
        self._path = path
        self._changed = path.stat().st_mtime_ns
        self._memory_bytes = memory_bytes
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._last_words = b""
        self._listening: asyncio.Task[None] | None = None
        self._told: Mapping[str, Any] = {}

    @property
    def stale(self) -> bool:
        """Whether the file is another by now."""
        with suppress(OSError):
            return self._path.stat().st_mtime_ns != self._changed
        return True

    async def score(self, answer: Answer, seconds: float) -> Score:
        """One answer's; what goes wrong is a reason."""
        asked = {
            "question": answer.question,
            "answer": answer.text,
            "passages": [passage.text for passage in answer.passages],
            "reference": answer.reference,
        }
        async with self._turn:
            try:
                async with asyncio.timeout(seconds):
                    found = await self._asked(asked)
            except TimeoutError:
                await self.end()
                return self.missing(Reason.TIMED_OUT, f"it took longer than {seconds:g} s")
            if found is None:
                return self.missing(*await self._death())
        return self._scored(found)

    async def _asked(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """What it answers; None when it died of it."""
        process = self._process or await self._started()
        if process is None or process.stdin is None or process.stdout is None:
            return None
        with suppress(ConnectionError):
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            await process.stdin.drain()
        line = await process.stdout.readline()
        return dict(json.loads(line)) if line else None

    async def _started(self) -> asyncio.subprocess.Process | None:
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", MODULE, str(self._path), str(self._memory_bytes)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        self._listening = asyncio.create_task(self._listen(process))
        hello = await process.stdout.readline() if process.stdout else b""
        if not hello:
            return None
        self._told = json.loads(hello)
        return process

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        self._last_words = b""
        while process.stderr and (part := await process.stderr.read(LAST_WORDS)):
            self._last_words = (self._last_words + part)[-LAST_WORDS:]

    async def _death(self) -> tuple[Reason, str]:
        """Why it ended."""
        process, listening = self._process, self._listening
        self._process = None
        if process is None or listening is None:
            return Reason.EVALUATOR_FAILED, "its process did not start"
        status = await process.wait()
        await listening
        last = self._last_words.decode(errors="replace").strip().splitlines()[-1:] or [f"exit status {status}"]
        if status < 0:
            return Reason.EVALUATOR_FAILED, f"it crashed (signal {-status})"
        return Reason.EVALUATOR_FAILED, f"it raised {last[0][:300]}"

    async def end(self) -> None:
        """Ends its process."""
        process, self._process = self._process, None
        if process and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._listening:
            await self._listening

    def missing(self, reason: Reason, detail: str) -> Score:
        """No value, and why."""
        return Score(self._path.stem, None, self._scale, self._evaluator, missing=Missing(reason, detail))

    def _scored(self, found: Mapping[str, Any]) -> Score:
        value, scale = found["value"], self._scale
        if value is None:
            return self.missing(Reason.NOTHING_TO_SCORE, "it says that there is nothing to score")
        if not math.isfinite(value):
            return self.missing(Reason.NO_VALUE, f"it says {value}")
        if not scale.lowest <= value <= scale.highest:
            told = f"it says {value:g}; the scale is {scale.lowest:g} to {scale.highest:g}"
            return self.missing(Reason.WRONG_SCALE, told)
        evidence = (Evidence(note=found["note"]),) if found["note"] else ()
        passes_at = self._told.get("passes_at")
        given = verdict(value, scale, passes_at)
        return Score(self._path.stem, value, scale, self._evaluator, given, evidence, passes_at=passes_at)

    @property
    def _scale(self) -> Scale:
        told = self._told
        return Scale(told["lowest"], told["highest"], told["lower_is_better"]) if told else Scale()

    @property
    def _evaluator(self) -> Evaluator:
        return Evaluator("own", self._told.get("version", ""))
