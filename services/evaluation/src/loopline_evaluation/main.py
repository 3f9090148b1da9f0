"""Puts the service together: settings, the store, the judge, the app, its doors."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from loopline.evaluation.v1.annotation_service_pb2_grpc import add_AnnotationServiceServicer_to_server
from loopline.evaluation.v1.evaluation_service_pb2_grpc import add_EvaluationServiceServicer_to_server
from loopline_evaluation import events
from loopline_evaluation.adapters.annotations_sql import AnnotationsSql
from loopline_evaluation.adapters.answers_sql import AnswersSql
from loopline_evaluation.adapters.budget_sql import BudgetSql
from loopline_evaluation.adapters.embedder_grpc import EmbedderGrpc
from loopline_evaluation.adapters.erasure_sql import ErasureSql
from loopline_evaluation.adapters.judge_openai import JudgeModel, OpenAiJudge
from loopline_evaluation.adapters.judges_ragas import DEFINED, Prices, RagasJudges
from loopline_evaluation.adapters.outbox_sql import OutboxSql
from loopline_evaluation.adapters.own_functions import OwnFunctions
from loopline_evaluation.adapters.queue_sql import QueueSql
from loopline_evaluation.adapters.rubrics import rubrics_in
from loopline_evaluation.adapters.said_nats import SaidNats
from loopline_evaluation.adapters.tables import MIGRATIONS
from loopline_evaluation.annotation.annotating import Annotating
from loopline_evaluation.annotation.calibrating import Calibrating, Trust
from loopline_evaluation.annotation_rpc import AnnotationRpc
from loopline_evaluation.app import Erasing, Feedbacks, JudgingPolicy, LiveJudging, Scoring
from loopline_evaluation.app.metrics import EMBEDDED, MODEL_FREE
from loopline_evaluation.ports import Budget, Embedder, Erasable
from loopline_evaluation.rpc import EvaluationRpc
from loopline_evaluation.run_parts import run_parts
from loopline_evaluation.settings import Metrics, Scores, Settings, keep_ragas_quiet
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_nats.access import KeyRing
from loopline_nats.content import Contents
from loopline_nats.line import open_line
from loopline_runtime.errors import Invalid, LooplineError
from loopline_runtime.lifecycle import background, run, until_stopped
from loopline_runtime.telemetry import start_telemetry
from loopline_sql.database import Database

SERVICE = "loopline.evaluation.v1.EvaluationService"
ANNOTATION = "loopline.evaluation.v1.AnnotationService"
# So many answers are judged at once for each request at once: one waits for its next while another's is under way.
ANSWERS_PER_REQUEST = 2
DAY_S, SWEEP_EVERY_S = 86_400.0, 3600.0
log = structlog.get_logger(__name__)
KNOWN = {metric.name for metric in (*MODEL_FREE, *EMBEDDED)} | set(DEFINED)


async def sweep(answers: AnswersSql, kept: Scores) -> None:
    """Removes answers past their retention, without end."""
    while True:
        now = time.time()
        try:
            while await answers.forget(now - kept.kept_days * DAY_S, now - kept.labelled_days * DAY_S):
                continue
        except LooplineError as error:
            log.warning("old answers are not removed now", error=str(error))
        await asyncio.sleep(SWEEP_EVERY_S)


@asynccontextmanager
async def judging(settings: Settings, budget: Budget, embedder: Embedder) -> AsyncIterator[RagasJudges | None]:
    """The judges, when one is configured."""
    given = settings.judge
    rubrics = rubrics_in(settings.metrics.folder)
    if not given.url:
        yield None
        return
    keep_ragas_quiet()
    model = JudgeModel(
        given.url,
        given.model,
        given.key.get_secret_value(),
        given.timeout_s,
        given.concurrency,
        given.tries,
        given.max_tokens,
        given.json_mode,
    )
    async with OpenAiJudge.opened(model, budget) as judge:
        judges = RagasJudges(judge, embedder, rubrics, Prices(given.prompt_price, given.completion_price))
        if unknown := sorted(set(given.metrics) - set(judges.names())):
            known = ", ".join(judges.names())
            raise Invalid(f"JUDGE__METRICS names {', '.join(unknown)}; there are {known}", reason="UNKNOWN_METRIC")
        yield judges


@asynccontextmanager
async def functions(settings: Metrics) -> AsyncIterator[OwnFunctions | None]:
    """The operator's own metrics, when there is a folder of them."""
    if settings.folder is None:
        yield None
        return
    if taken := sorted({path.stem for path in settings.folder.glob("*.py")} & KNOWN):
        told = f"{', '.join(taken)} in METRICS__FOLDER: there is a metric of that name already; choose another"
        raise Invalid(told, reason="METRIC_TAKEN", field="METRICS__FOLDER")
    async with OwnFunctions.opened(
        settings.folder, seconds=settings.timeout_s, memory_bytes=settings.memory_bytes
    ) as opened:
        yield opened


async def serve() -> None:
    """Runs until it is told to stop."""
    settings = Settings()
    key = settings.access.key.get_secret_value()
    with start_telemetry(settings.telemetry, "evaluation") as telemetry:
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            database = await enter(Database.opened(settings.scores.url, MIGRATIONS))
            line = await enter(open_line(settings.nats, "evaluation"))
            keys = await enter(KeyRing.watching(line))
            channel = await enter(
                connect(settings.targets.embedding, key=key, timeout_s=settings.targets.timeout_s, tls=settings.peers)
            )
            answers, budget, embedder = AnswersSql(database), BudgetSql(database), EmbedderGrpc(channel)
            judges = await enter(judging(settings, budget, embedder))
            own = await enter(functions(settings.metrics))
            annotations = AnnotationsSql(database)
            annotating = Annotating(annotations, answers)
            scoring = Scoring(answers, embedder, settings.sampled(), own, annotating)
            events.bind(line, scoring, answers)
            telemetry.liveness(line.ailment)
            await enter(background(events.announce(line, OutboxSql(database), Contents(line)), name="announce"))
            await enter(background(sweep(answers, settings.scores), name="sweep"))
            if judges:
                at_once = ANSWERS_PER_REQUEST * settings.judge.concurrency
                policy = JudgingPolicy(settings.judge.metrics, at_once, settings.judge.tokens_per_day)
                live = LiveJudging(QueueSql(database), judges, budget, policy, annotating)
                await enter(background(live.work(), name="judging"))
            trust = Trust(settings.calibration.kappa, settings.calibration.required)
            calibrating = Calibrating(annotating, annotations, answers, judges, trust)
            runs = await enter(run_parts(settings, line, answers, scoring, judges, calibrating.distrusted, own))
            erasure = ErasureSql(database)
            stores: dict[str, Erasable] = {"scores": erasure, "datasets": runs.datasets, "runs": runs.runs}
            erasing = Erasing(stores, erasure, SaidNats(line), disk=database.disk, gone=database.is_sqlite)
            events.bind_erasure(line, erasing, answers)
            await events.look_again(line, erasing)
            rpc = EvaluationRpc(answers, Feedbacks(answers, annotating, judge=judges is not None))
            labels = AnnotationRpc(annotating, annotations, calibrating)
            doors = [
                Door(add_EvaluationServiceServicer_to_server, rpc, SERVICE),
                Door(add_AnnotationServiceServicer_to_server, labels, ANNOTATION),
                *runs.doors,
            ]
            ready = {SERVICE: answers.ready, ANNOTATION: answers.ready, "events": line.ready, **runs.ready}
            ring = keys if settings.access.mode == "keys" else None
            await enter(serving(settings.grpc, keys=ring, doors=doors, ready=ready, ailment=line.ailment))
            await line.start()
            await until_stopped()


def main() -> None:
    """The command `loopline-evaluation`."""
    run(serve)


if __name__ == "__main__":
    main()
