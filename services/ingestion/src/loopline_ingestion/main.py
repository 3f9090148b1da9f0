"""Puts the service together: settings, the ledger, the worker, the app, its two doors."""

import asyncio
import itertools

import structlog

from loopline.ingestion.v1.ingestion_service_pb2_grpc import add_IngestionServiceServicer_to_server
from loopline_contracts.channels import OWNERS
from loopline_grpc.server import Door, serving
from loopline_ingestion import events
from loopline_ingestion.adapters.extraction.pool import WorkerPool
from loopline_ingestion.adapters.history_nats import HistoryNats
from loopline_ingestion.adapters.journal_file import JournalFile
from loopline_ingestion.adapters.ledger_sql import LedgerSql
from loopline_ingestion.adapters.plans_sql import PlansSql
from loopline_ingestion.adapters.receipts_sql import ReceiptsSql
from loopline_ingestion.adapters.traces_nats import TracesNats
from loopline_ingestion.adapters.turns_sql import TurnsSql
from loopline_ingestion.adapters.uploads_objects import UploadsObjects
from loopline_ingestion.app import Building, Collections, Documents, Erasing, Planning, Sweeping, Turns, Working
from loopline_ingestion.rebuilding import rebuilt
from loopline_ingestion.rpc import IngestionRpc
from loopline_ingestion.settings import Settings
from loopline_nats.access import KeyRing
from loopline_nats.line import Line, open_line
from loopline_nats.objects import Objects
from loopline_runtime.errors import LooplineError
from loopline_runtime.lifecycle import background, run, until_stopped
from loopline_runtime.telemetry import start_telemetry

SERVICE = "loopline.ingestion.v1.IngestionService"
TIDY_EVERY, LOOK_EVERY = 120, 10
log = structlog.get_logger(__name__)


def pool_of(settings: Settings) -> WorkerPool:
    """The worker with its limits."""
    limits = settings.extraction
    return WorkerPool(
        limits.tokenizer,
        seconds=limits.seconds,
        memory_bytes=limits.memory_mb * 2**20,
        most_characters=limits.most_characters,
        at_once=limits.at_once,
    )


def turns_of(settings: Settings, ledger: LedgerSql, plans: PlansSql, history: HistoryNats) -> Turns:
    """Whose turn it is."""
    tenants = settings.tenants
    waiting = TurnsSql(ledger.database)
    return Turns(waiting, plans, history, at_once=tenants.at_once, lost_after_s=tenants.lost_after_s)


async def give_turns(turns: Turns) -> None:
    """Documents that wait go on when their tenant has room, without end."""
    while True:
        try:
            await turns.give()
        except LooplineError as error:
            log.warning("turns are given later", error=str(error))
        await turns.wait()


async def sweep(line: Line, sweeping: Sweeping, building: Building, erasing: Erasing, every_s: float) -> None:
    """Keeps order, without end; a dependency that is away is tried again the next time."""
    for turn in itertools.count():
        await asyncio.sleep(every_s)
        try:
            await sweeping.remake()
            await building.settle()
            if turn % LOOK_EVERY == 0:
                await events.erase_late(line, erasing)
            if turn % TIDY_EVERY == 0:
                await sweeping.tidy()
        except LooplineError as error:
            log.warning("keeping order is put off", error=str(error))


async def serve() -> None:
    """Runs until it is told to stop."""
    settings = Settings()
    with start_telemetry(settings.telemetry, "ingestion") as telemetry:
        async with (
            pool_of(settings).running() as pool,
            LedgerSql.opened(settings.ledger.url) as ledger,
            open_line(settings.nats, "ingestion") as line,
            KeyRing.watching(line) as keys,
        ):
            telemetry.liveness(line.ailment)
            await open_doors(settings, pool, ledger, line, keys)


async def open_doors(settings: Settings, pool: WorkerPool, ledger: LedgerSql, line: Line, keys: KeyRing) -> None:
    """The app over its adapters, and the two doors before it."""
    plans, receipts = PlansSql(ledger), ReceiptsSql(ledger.database)
    await rebuilt(line, ledger, plans, receipts)
    uploads, history = UploadsObjects(Objects(line)), HistoryNats(line)
    collections = Collections(ledger, history, pool, settings.embedding.plan)
    documents = Documents(
        ledger,
        history,
        uploads,
        collections,
        most_bytes=settings.uploads.most_bytes,
        at_once=settings.tenants.at_once,
    )
    journal = JournalFile(settings.erasure.journal)
    erasing = Erasing(history, ledger, uploads, TracesNats(line), receipts, journal, OWNERS)
    await erasing.say_again()
    remake = settings.remake
    sweeping = Sweeping(ledger, history, uploads, lost_after_s=remake.lost_after_s, aged_after_s=remake.aged_after_s)
    working = Working(uploads, history, pool, collections, plans)
    build = settings.build
    building = Building(plans, history, working, in_flight=build.in_flight, lost_after_s=build.lost_after_s)
    turns = turns_of(settings, ledger, plans, history)
    events.bind(line, working, turns, building, erasing, ledger, plans, receipts, ledger.ready, pool.ready)

    async def ready() -> None:
        await ledger.ready()
        await line.ready()

    planning = Planning(ledger, plans, history)
    door = Door(
        add_IngestionServiceServicer_to_server, IngestionRpc(documents, collections, planning, erasing), SERVICE
    )
    ring = keys if settings.access.mode == "keys" else None
    async with (
        background(give_turns(turns), name="turns"),
        background(sweep(line, sweeping, building, erasing, remake.every_s), name="sweep"),
        serving(settings.grpc, keys=ring, doors=[door], ready={SERVICE: ready}, ailment=line.ailment),
    ):
        await line.start()
        await until_stopped()


def main() -> None:
    """The command `loopline-ingestion`."""
    run(serve)


if __name__ == "__main__":
    main()
