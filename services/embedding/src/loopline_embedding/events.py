"""Facts in, facts out: batches of chunks become batches of vectors."""

from collections.abc import AsyncIterator

from loopline.embedding.v1.events_pb2 import ChunksEmbedded
from loopline.ingestion.v1.events_pb2 import DocumentChunked
from loopline_contracts.channels import CHUNKS_EMBEDDED, EMBEDDING_EMBED
from loopline_embedding.app import Embedding
from loopline_nats.line import Delivery, Fact, Line


def bind(line: Line, embedding: Embedding) -> None:
    """Hears what ingestion cut."""

    @line.hears(EMBEDDING_EMBED)
    async def embed(event: DocumentChunked, delivery: Delivery) -> AsyncIterator[Fact[ChunksEmbedded]]:
        wanted = event.batch.model
        texts = [chunk.text for chunk in event.chunks]
        made = await embedding.of_texts(
            texts, wanted.name, wanted.revision, tenant=delivery.tenant, build=event.batch.build
        )
        said = ChunksEmbedded(batch=event.batch, chunks=event.chunks, vectors=made.vectors)
        yield Fact(CHUNKS_EMBEDDED, said, delivery.id, delivery.tenant, delivery.document)
