"""Puts the service together: settings, the store, the app, its two doors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loopline.retrieval.v1.retrieval_service_pb2_grpc import add_RetrievalServiceServicer_to_server
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_nats.access import KeyRing
from loopline_nats.content import Contents
from loopline_nats.line import open_line
from loopline_retrieval import events
from loopline_retrieval.adapters.knowledge_kv import KnowledgeKv
from loopline_retrieval.adapters.questions_grpc import QuestionsGrpc
from loopline_retrieval.adapters.reranker_sentences import SentenceReranker
from loopline_retrieval.adapters.serving_kv import ServingKv
from loopline_retrieval.answerable import Answerable
from loopline_retrieval.app import Comparing, Indexing, Searching, Switching
from loopline_retrieval.erasing import keep_looking, look_again
from loopline_retrieval.ports import Store
from loopline_retrieval.rpc import RetrievalRpc
from loopline_retrieval.served import Served
from loopline_retrieval.settings import Settings
from loopline_retrieval.switched import Switched
from loopline_runtime.lifecycle import background, run, until_stopped
from loopline_runtime.telemetry import start_telemetry

SERVICE = "loopline.retrieval.v1.RetrievalService"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """The store that the settings choose; only that one is loaded."""
    if settings.index.path and settings.index.store == "embedded":
        from loopline_retrieval.adapters.sqlite_store import SqliteStore

        async with SqliteStore.opened(settings.index.path) as embedded:
            yield embedded
    else:
        from loopline_retrieval.adapters.weaviate_store import WeaviateStore

        async with WeaviateStore.opened(settings.weaviate) as weaviate:
            yield weaviate


async def serve() -> None:
    """Runs until it is told to stop."""
    settings = Settings()
    with start_telemetry(settings.telemetry, "retrieval") as telemetry:
        key = settings.access.key.get_secret_value()
        async with (
            opened(settings) as store,
            open_line(settings.nats, "retrieval") as line,
            KeyRing.watching(line) as keys,
            connect(
                settings.embedding.target, key=key, timeout_s=settings.embedding.timeout_s, tls=settings.peers
            ) as embedding,
        ):
            versions = ServingKv(line)
            questions = QuestionsGrpc(embedding)
            reranker = SentenceReranker(questions) if settings.search.rerank == "sentences" else None
            searching = Searching(store, questions, versions, reranker)
            served = Served(line, Contents(line))
            knowledge = KnowledgeKv(line)
            switched = Switched(line, versions)
            switching = Switching(store, knowledge, versions, Comparing(store, searching), switched.tell)
            indexing = Indexing(store, knowledge, versions)
            events.bind(line, indexing, switching, store)
            looked = await look_again(line, store, indexing)
            telemetry.liveness(line.ailment)
            rpc = RetrievalRpc(searching, switching, served.note)
            door = Door(add_RetrievalServiceServicer_to_server, rpc, SERVICE)
            ready = {SERVICE: store.ready, "events": line.ready}
            ring = keys if settings.access.mode == "keys" else None
            async with (
                background(served.say(), name="served"),
                background(keep_looking(looked, line, store, indexing), name="look again"),
                background(switched.keep_telling(), name="switched"),
                background(Answerable(versions, questions).keep_looking(), name="answerable"),
                serving(settings.grpc, keys=ring, doors=[door], ready=ready, ailment=line.ailment),
            ):
                await line.start()
                await until_stopped()


def main() -> None:
    """The command `loopline-retrieval`."""
    run(serve)


if __name__ == "__main__":
    main()
