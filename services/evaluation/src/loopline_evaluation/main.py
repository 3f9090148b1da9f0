"""Puts the service together: settings, the store, the app, its two doors."""

from loopline.evaluation.v1.evaluation_service_pb2_grpc import add_EvaluationServiceServicer_to_server
from loopline_evaluation import events
from loopline_evaluation.adapters.answers_sql import AnswersSql, Database
from loopline_evaluation.app import Scoring
from loopline_evaluation.rpc import EvaluationRpc
from loopline_evaluation.settings import Settings
from loopline_grpc.server import Door, serving
from loopline_nats.access import KeyRing
from loopline_nats.line import open_line
from loopline_runtime.lifecycle import run, until_stopped
from loopline_runtime.telemetry import start_telemetry

SERVICE = "loopline.evaluation.v1.EvaluationService"


async def serve() -> None:
    """Runs until it is told to stop."""
    settings = Settings()
    with start_telemetry(settings.telemetry, "evaluation") as telemetry:
        async with (
            Database.opened(settings.scores.url) as database,
            open_line(settings.nats, "evaluation") as line,
            KeyRing.watching(line) as keys,
        ):
            answers = AnswersSql(database)
            events.bind(line, Scoring(answers), answers)
            telemetry.liveness(line.ailment)
            doors = [Door(add_EvaluationServiceServicer_to_server, EvaluationRpc(answers), SERVICE)]
            ready = {SERVICE: answers.ready, "events": line.ready}
            ring = keys if settings.access.mode == "keys" else None
            async with serving(settings.grpc, keys=ring, doors=doors, ready=ready):
                await line.start()
                await until_stopped()


def main() -> None:
    """The command `loopline-evaluation`."""
    run(serve)


if __name__ == "__main__":
    main()
