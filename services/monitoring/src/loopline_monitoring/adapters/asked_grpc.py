"""The services that canaries ask, over gRPC, for the tenant whose canaries they are."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc

from loopline.embedding.v1.embedding_service_pb2 import EmbedRequest
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline.generation.v1.events_pb2 import Outcome
from loopline.generation.v1.generation_service_pb2 import AnswerRequest
from loopline.generation.v1.generation_service_pb2_grpc import GenerationServiceStub
from loopline_grpc.access import acting_for
from loopline_grpc.client import calling
from loopline_monitoring.ports import Answered
from loopline_monitoring.readings.answers import CANARY
from loopline_runtime.errors import Unavailable

if TYPE_CHECKING:
    from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub
    from loopline.generation.v1.generation_service_pb2_grpc import GenerationServiceAsyncStub


class AskerGrpc:
    """The port `Asker`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._generation: GenerationServiceAsyncStub = GenerationServiceStub(channel)

    async def ask(self, tenant: str, collection: str, question: str) -> Answered:
        """See the port. A conversation of its own marks the answer as no traffic, and is forgotten with its answers."""
        request = AnswerRequest(
            question=question, collections=[collection], conversation_id=f"{CANARY}{uuid.uuid4().hex}"
        )
        answer_id = ""
        with acting_for(tenant):
            async with calling("generation"):
                async for response in self._generation.Answer(request):
                    if response.HasField("started"):
                        answer_id = response.started.answer_id
                    elif response.HasField("finished"):
                        finished = response.finished
                        if finished.outcome != Outcome.OUTCOME_COMPLETED:
                            raise Unavailable(f"the answer ended {Outcome.Name(finished.outcome)}: {finished.error}")
                        outcome = Outcome.Name(finished.outcome)
                        return Answered(answer_id, finished.text, outcome, finished.verdicts.abstained)
        raise Unavailable("the answer ended without its last word")


class EmbedderGrpc:
    """The port `Embedder`, by the service's default model."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._embedding: EmbeddingServiceAsyncStub = EmbeddingServiceStub(channel)

    async def embed(self, tenant: str, texts: Sequence[str]) -> list[bytes]:
        """See the port."""
        with acting_for(tenant):
            async with calling("embedding"):
                response = await self._embedding.Embed(EmbedRequest(texts=list(texts)))
        return list(response.vectors)
