"""Puts the service together: settings, the store, the app, its two doors."""

from loopline.evaluation.v1.evaluation_service_pb2_grpc import add_EvaluationServiceServicer_to_server
from loopline_evaluation import events
from loopline_evaluation.adapters.answers_sql import AnswersSql
from loopline_evaluation.adapters.database import Database
from loopline_evaluation.adapters.embedder_grpc import EmbedderGrpc
from loopline_evaluation.adapters.outbox_sql import OutboxSql
from loopline_evaluation.app import Feedbacks, Scoring
from loopline_evaluation.rpc import EvaluationRpc
from loopline_evaluation.settings import Settings
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_nats.access import KeyRing
from loopline_nats.content import Contents
from loopline_nats.line import open_line
from loopline_runtime.lifecycle import background, run, until_stopped
from loopline_runtime.telemetry import start_telemetry

SERVICE = "loopline.evaluation.v1.EvaluationService"


async def serve() -> None:
    """Runs until it is told to stop."""
    settings = Settings()
    key = settings.access.key.get_secret_value()
    with start_telemetry(settings.telemetry, "evaluation") as telemetry:
        async with (
            Database.opened(settings.scores.url) as database,
            open_line(settings.nats, "evaluation") as line,
            KeyRing.watching(line) as keys,
            connect(settings.targets.embedding, key=key, timeout_s=settings.targets.timeout_s) as embedding,
        ):
            answers, sampling = AnswersSql(database), settings.sampled()
            events.bind(line, Scoring(answers, EmbedderGrpc(embedding), sampling), answers)
            telemetry.liveness(line.ailment)
            rpc = EvaluationRpc(answers, Feedbacks(answers, judge=sampling.judge))
            doors = [Door(add_EvaluationServiceServicer_to_server, rpc, SERVICE)]
            ready = {SERVICE: answers.ready, "events": line.ready}
            ring = keys if settings.access.mode == "keys" else None
            async with (
                background(events.announce(line, OutboxSql(database), Contents(line)), name="announce"),
                serving(settings.grpc, keys=ring, doors=doors, ready=ready),
            ):
                await line.start()
                await until_stopped()


def main() -> None:
    """The command `loopline-evaluation`."""
    run(serve)


if __name__ == "__main__":
    main()
