"""Puts the service together: settings, adapters, the app, its door and what it says."""

import asyncio
import time

import structlog

from loopline.generation.v1.generation_service_pb2_grpc import add_GenerationServiceServicer_to_server
from loopline_generation import events
from loopline_generation.adapters.chat_openai import OpenAiChat
from loopline_generation.adapters.facts_nats import FactsNats
from loopline_generation.adapters.prompts_files import PromptFiles
from loopline_generation.adapters.records_sql import RecordsSql
from loopline_generation.adapters.retrieval_grpc import EmbedderGrpc, SearcherGrpc
from loopline_generation.app import Answering, Erasing
from loopline_generation.rpc import GenerationRpc
from loopline_generation.settings import Settings
from loopline_generation.spool import Spool
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_nats.access import KeyRing
from loopline_nats.line import open_line
from loopline_runtime.errors import LooplineError
from loopline_runtime.lifecycle import background, run, until_stopped
from loopline_runtime.telemetry import start_telemetry

SERVICE = "loopline.generation.v1.GenerationService"
DAY_S, SWEEP_EVERY_S = 86_400.0, 600.0
# No answer takes as long: whoever began it earlier and did not end it died.
LONGEST_ANSWER_S = 1800.0
# What is left of the grace for an answer's last words once it is told to end.
LAST_WORDS_S = 3.0
log = structlog.get_logger(__name__)


async def sweep(records: RecordsSql, answering: Answering, kept_days: float) -> None:
    """Removes answers past their retention and ends those of processes that died, without end."""
    while True:
        try:
            await records.forget(time.time() - kept_days * DAY_S)
            await answering.end_unfinished(time.time() - LONGEST_ANSWER_S)
        except LooplineError as error:
            log.warning("old answers are not removed now", error=str(error))
        await asyncio.sleep(SWEEP_EVERY_S)


async def serve() -> None:
    """Runs until it is told to stop."""
    settings = Settings()
    targets, tgi = settings.targets, settings.tgi
    spool = Spool(settings.spool.path, settings.spool.most_bytes)
    chat = OpenAiChat(tgi.url, key=tgi.key.get_secret_value(), timeout_s=tgi.timeout_s, stall_s=tgi.stall_s)
    prompts = PromptFiles(settings.answers.prompts)
    key = settings.access.key.get_secret_value()
    with start_telemetry(settings.telemetry, "generation") as telemetry:
        async with (
            RecordsSql.opened(settings.answers.url) as records,
            open_line(settings.nats, "generation") as line,
            KeyRing.watching(line) as keys,
            connect(targets.retrieval, key=key, timeout_s=targets.timeout_s, tls=settings.peers) as retrieval,
            connect(targets.embedding, key=key, timeout_s=targets.timeout_s, tls=settings.peers) as embedding,
        ):
            answering = Answering(
                SearcherGrpc(retrieval), EmbedderGrpc(embedding), chat, prompts, records, spool, settings.policy()
            )
            erasing = Erasing(records, spool, FactsNats(line))
            events.bind(line, erasing, records.ready)
            await events.look_again(line, erasing)
            # A database of several replicas holds answers that others are giving; the sweep ends those that nobody gives.
            if settings.answers.url.startswith("sqlite"):
                await answering.end_unfinished(time.time())
            telemetry.liveness(line.ailment)
            door = Door(add_GenerationServiceServicer_to_server, GenerationRpc(answering, records), SERVICE)
            ready = {SERVICE: records.ready, "events": line.ready}
            ring = keys if settings.access.mode == "keys" else None
            async with (
                background(events.announce(line, spool, records.cleaned), name="announce"),
                background(sweep(records, answering, settings.answers.kept_days), name="sweep"),
                serving(settings.grpc, keys=ring, doors=[door], ready=ready, ailment=line.ailment),
            ):
                await line.start()
                await until_stopped()
                answering.stop_within(max(0.0, settings.grpc.grace_s - LAST_WORDS_S))


def main() -> None:
    """The command `loopline-generation`."""
    run(serve)


if __name__ == "__main__":
    main()
