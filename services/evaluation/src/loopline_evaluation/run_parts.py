"""Puts datasets and runs together: their store, targets, doors, and what works on them."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass

from loopline.evaluation.v1.dataset_service_pb2_grpc import add_DatasetServiceServicer_to_server
from loopline.evaluation.v1.run_service_pb2_grpc import add_RunServiceServicer_to_server
from loopline_evaluation.adapters.corpus_grpc import CorpusGrpc
from loopline_evaluation.adapters.datasets_sql import DatasetsSql
from loopline_evaluation.adapters.endpoint import Endpoint
from loopline_evaluation.adapters.expectations_process import ExpectationsProcess
from loopline_evaluation.adapters.runs_sql import RunsSql
from loopline_evaluation.adapters.runs_tables import MIGRATIONS
from loopline_evaluation.adapters.target_endpoint import EndpointTarget
from loopline_evaluation.adapters.target_given import GivenTarget
from loopline_evaluation.adapters.target_live import LiveTarget
from loopline_evaluation.adapters.writer_openai import WriterOpenAi
from loopline_evaluation.dataset_rpc import DatasetRpc
from loopline_evaluation.datasets.library import Library
from loopline_evaluation.ports import Answers, Functions, Judges
from loopline_evaluation.run_events import announce_runs
from loopline_evaluation.run_rpc import RunRpc
from loopline_evaluation.runs.evaluations import Distrusted, Evaluations
from loopline_evaluation.runs.measuring import Measuring
from loopline_evaluation.runs.model import Run, TargetKind
from loopline_evaluation.runs.ports import Rules, Target
from loopline_evaluation.runs.running import Running
from loopline_evaluation.settings import Settings
from loopline_grpc.client import connect
from loopline_grpc.health import ReadyCheck
from loopline_grpc.server import Door
from loopline_nats.line import Line
from loopline_runtime.lifecycle import background
from loopline_sql.database import Database

DATASETS, RUNS = "loopline.evaluation.v1.DatasetService", "loopline.evaluation.v1.RunService"


@dataclass(frozen=True, slots=True)
class RunParts:
    """The doors, and the stores that erasures reach."""

    doors: list[Door]
    ready: dict[str, ReadyCheck]
    datasets: DatasetsSql
    runs: RunsSql


@asynccontextmanager
async def run_parts(
    settings: Settings,
    line: Line,
    answers: Answers,
    rules: Rules,
    judges: Judges | None,
    distrusted: Distrusted,
    own: Functions | None = None,
) -> AsyncIterator[RunParts]:
    """Open as long as the block lasts; runs that wait are worked on meanwhile."""
    key, given = settings.access.key.get_secret_value(), settings.targets
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        database = await enter(Database.opened(settings.runs.url, MIGRATIONS))
        ingestion = await enter(connect(given.ingestion, key=key, timeout_s=given.timeout_s, tls=settings.peers))
        retrieval = await enter(connect(given.retrieval, key=key, timeout_s=given.timeout_s, tls=settings.peers))
        generation = await enter(
            connect(given.generation, key=key, timeout_s=settings.runs.timeout_s, tls=settings.peers)
        )
        datasets, runs = DatasetsSql(database), RunsSql(database)
        own_model = settings.writer
        key_of_it = own_model.key.get_secret_value()
        writer = WriterOpenAi(
            await enter(Endpoint.opened(own_model.url, key_of_it, model=own_model.model, timeout_s=own_model.timeout_s))
        )
        library = Library(datasets, ExpectationsProcess(), CorpusGrpc(ingestion, retrieval), writer)
        measuring = Measuring(rules, judges, own)
        live, former = LiveTarget(generation, settings.runs.timeout_s), GivenTarget(runs)

        def target_of(run: Run) -> AbstractAsyncContextManager[Target]:
            match run.spec.target.kind:
                case TargetKind.LIVE:
                    return nullcontext(live)
                case TargetKind.GIVEN:
                    return nullcontext(former)
                case TargetKind.ENDPOINT:
                    return EndpointTarget.opened(run, settings.runs.keys, settings.runs.timeout_s)

        running = Running(_owner(), runs, datasets, target_of, measuring, at_once=settings.runs.at_once)
        await enter(background(running.work(), name="runs"))
        await enter(background(announce_runs(line, runs), name="announce-runs"))
        doors = [
            Door(add_DatasetServiceServicer_to_server, DatasetRpc(library, answers), DATASETS),
            Door(add_RunServiceServicer_to_server, RunRpc(Evaluations(runs, library, measuring, distrusted)), RUNS),
        ]
        yield RunParts(doors, {DATASETS: database.ready, RUNS: database.ready}, datasets, runs)


def _owner() -> str:
    """Who holds a lease: this process and no other, also after a restart."""
    return f"{socket.gethostname()[:30]}/{os.getpid()}/{id(asyncio.get_running_loop()):x}"
