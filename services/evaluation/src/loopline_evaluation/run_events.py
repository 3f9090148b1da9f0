"""What is said of runs and gates, from the store's outbox, in order, each once."""

import asyncio
import json
import logging
from typing import Any

from loopline.evaluation.v1.events_pb2 import EvaluationFinished, GateDecided
from loopline_contracts.channels import EVALUATION_FINISHED, GATE_DECIDED
from loopline_evaluation import run_plain
from loopline_evaluation.adapters.runs_plain import spec_of
from loopline_evaluation.ports import Outbox, Waiting
from loopline_evaluation.runs.model import Decided
from loopline_nats.line import Fact, Line
from loopline_runtime.errors import Unavailable

log = logging.getLogger(__name__)
LOOK_S = 0.5


async def announce_runs(line: Line, outbox: Outbox) -> None:
    """Without end."""
    while True:
        waiting = []
        try:
            waiting = list(await outbox.waiting())
            for one in waiting:
                await line.say(_fact(one))
                await outbox.said(one.number)
        except Unavailable as error:
            log.info("what is to be said of runs waits: %s", error)
            waiting = []
        if not waiting:
            await asyncio.sleep(LOOK_S)


def _fact(waiting: Waiting) -> Fact[Any]:
    told = json.loads(waiting.body)
    if waiting.kind == EVALUATION_FINISHED.name:
        said: EvaluationFinished = run_plain.finished(told, spec_of(told["run"]["spec"]))
        return Fact(EVALUATION_FINISHED, said, waiting.id, waiting.tenant)
    decided: GateDecided = run_plain.decided(Decided(**{**told, "open": tuple(told["open"])}))
    return Fact(GATE_DECIDED, decided, waiting.id, waiting.tenant)
