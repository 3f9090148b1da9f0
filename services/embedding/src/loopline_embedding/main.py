"""Puts the service together: settings, the model, the app, its two doors."""

import asyncio

from loopline.embedding.v1.embedding_service_pb2_grpc import add_EmbeddingServiceServicer_to_server
from loopline_embedding import events
from loopline_embedding.adapters.onnx import load
from loopline_embedding.adapters.tei import TeiEmbedder
from loopline_embedding.app import Embedding
from loopline_embedding.ports import Embedder
from loopline_embedding.rpc import EmbeddingRpc
from loopline_embedding.settings import Settings
from loopline_embedding.turns import Turns
from loopline_grpc.server import Door, serving
from loopline_nats.access import KeyRing
from loopline_nats.line import open_line
from loopline_runtime.lifecycle import run, until_stopped
from loopline_runtime.telemetry import start_telemetry

SERVICE = "loopline.embedding.v1.EmbeddingService"


def chosen(settings: Settings) -> Embedder:
    """The server that is named, else the model on disk."""
    if settings.tei.url:
        key = settings.tei.key.get_secret_value()
        return TeiEmbedder(settings.tei.url, key=key, timeout_s=settings.tei.timeout_s)
    if settings.model.path is None or settings.model.cache is None:
        raise ValueError("settings without a model")  # the settings refuse this
    return load(settings.model.path, settings.model.cache)


async def serve() -> None:
    """Runs until it is told to stop."""
    settings = Settings()
    with start_telemetry(settings.telemetry, "embedding") as telemetry:
        embedder = await asyncio.to_thread(chosen, settings)
        async with (
            Turns.taken(embedder.embed, settings.model.threads) as turns,
            open_line(settings.nats, "embedding") as line,
            KeyRing.watching(line) as keys,
        ):
            embedding = Embedding(embedder, turns, settings.model.shorter)
            events.bind(line, embedding)
            telemetry.liveness(line.ailment)
            door = Door(add_EmbeddingServiceServicer_to_server, EmbeddingRpc(embedding), SERVICE)
            ready = {SERVICE: embedding.ready, "events": line.ready}
            ring = keys if settings.access.mode == "keys" else None
            async with serving(settings.grpc, keys=ring, doors=[door], ready=ready, ailment=line.ailment):
                await line.start()
                await until_stopped()


def main() -> None:
    """The command `loopline-embedding`."""
    run(serve)


if __name__ == "__main__":
    main()
