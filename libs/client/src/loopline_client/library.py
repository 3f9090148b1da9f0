"""The client: documents in, passages and answers out. Errors are those of `loopline_runtime.errors`.

async with Loopline.local() as line:
    await line.submit("manual.pdf", Path("manual.pdf").read_bytes())
    async for step in line.ask("How do I reset it?"):
        ...
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc

from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline.generation.v1 import events_pb2 as generation
from loopline.generation.v1 import generation_service_pb2 as answers
from loopline.generation.v1.generation_service_pb2_grpc import GenerationServiceStub
from loopline.ingestion.v1 import ingestion_service_pb2 as documents
from loopline.ingestion.v1.events_pb2 import CollectionSettings
from loopline.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceStub
from loopline.retrieval.v1.retrieval_service_pb2 import SearchRequest
from loopline.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from loopline_client import receipts, results
from loopline_client.annotation import Annotation
from loopline_client.datasets import Datasets
from loopline_client.evaluation import Evaluation
from loopline_client.indexes import Indexes
from loopline_client.monitoring import Monitoring
from loopline_client.receipts import Receipt
from loopline_client.results import Answer, Collection, Document, Passage, Step, Submitted
from loopline_client.runs import Runs
from loopline_client.settings import ClientSettings, Profile
from loopline_grpc.client import calling, connect
from loopline_nats.line import Line, open_line
from loopline_nats.subscribers import Event, Subscribers
from loopline_runtime.errors import Unavailable
from loopline_runtime.settings import Nats
from loopline_runtime.tls import Tls

if TYPE_CHECKING:
    from loopline.generation.v1.generation_service_pb2_grpc import GenerationServiceAsyncStub
    from loopline.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceAsyncStub
    from loopline.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceAsyncStub

PART_BYTES = 256 * 1024
PAGE = 500
BUS_WITHIN_S = 5.0
Data = bytes | Path | AsyncIterator[bytes]


class Loopline:
    """A line one talks to. Calls that may be repeated are, when the line is away for a moment."""

    def __init__(self, profile: Profile, timeout_s: float = 30.0) -> None:
        self._profile = profile
        self._timeout_s = timeout_s
        self._stack = AsyncExitStack()
        self._channels: dict[str, grpc.aio.Channel] = {}

    @classmethod
    def local(cls, home: Path | None = None) -> Self:
        """The line of `loopline up`, or the one that LOOPLINE_... variables name."""
        return cls((ClientSettings(home=home) if home else ClientSettings()).profile())

    @classmethod
    def connect(
        cls,
        *,
        ingestion: str,
        retrieval: str,
        generation: str,
        key: str,
        nats_url: str = "",
        evaluation: str = "",
        monitoring: str = "",
        tls: Tls | None = None,
    ) -> Self:
        """A line by its addresses (host:port). `tls`: whom to trust, and what to show where mTLS asks for it."""
        targets = {"ingestion": ingestion, "retrieval": retrieval, "generation": generation}
        targets |= {"evaluation": evaluation, "monitoring": monitoring}
        return cls(Profile(key=key, nats_url=nats_url, targets=targets, tls=tls or Tls()))

    async def __aenter__(self) -> Self:
        """Connections are made when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes them."""
        for channel in self._channels.values():
            await channel.close()
        await self._stack.aclose()

    async def submit(
        self,
        source: str,
        data: Data,
        *,
        collection: str = "default",
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        readers: Sequence[str] = (),
    ) -> Submitted:
        """Ingests a document: bytes, a file, or parts as they come. The same version again changes nothing."""
        header = documents.DocumentHeader(
            collection=collection, source=source, content_type=content_type, metadata=metadata or {}, readers=readers
        )
        if isinstance(data, bytes):
            header.size_bytes = len(data)
        async with calling("ingestion"):
            return results.submitted(await self._ingestion.SubmitDocument(_upload(header, data)))

    async def document(self, document_id: str) -> Document:
        """What became of a document. NotFound when there is none."""
        async with calling("ingestion"):
            request = documents.GetDocumentRequest(document_id=document_id)
            return results.document((await self._ingestion.GetDocument(request)).document)

    async def documents(
        self, *, collection: str = "", states: Sequence[str] = (), prefix: str = ""
    ) -> AsyncIterator[Document]:
        """All that match, by source."""
        wanted = [documents.DocumentState.Value(f"DOCUMENT_STATE_{state.upper()}") for state in states]
        token = ""
        while True:
            request = documents.ListDocumentsRequest(
                collection=collection, states=wanted, source_prefix=prefix, page_size=PAGE, page_token=token
            )
            async with calling("ingestion"):
                page = await self._ingestion.ListDocuments(request)
            for found in page.documents:
                yield results.document(found)
            token = page.next_page_token
            if not token:
                return

    async def watch(self, document_ids: Sequence[str]) -> AsyncIterator[Document]:
        """Each as it stands, then each change, until all are settled."""
        async with calling("ingestion"):
            request = documents.WatchDocumentsRequest(document_ids=document_ids)
            async for change in self._ingestion.WatchDocuments(request):
                yield results.document(change.document)

    async def read(self, document_id: str) -> AsyncIterator[bytes]:
        """The original, in parts."""
        async with calling("ingestion"):
            request = documents.ReadDocumentRequest(document_id=document_id)
            async for part in self._ingestion.ReadDocument(request):
                if part.data:
                    yield part.data

    async def delete(self, document_id: str) -> int:
        """Removes a document; returns the revision of its removal."""
        async with calling("ingestion"):
            request = documents.DeleteDocumentRequest(document_id=document_id)
            return (await self._ingestion.DeleteDocument(request)).revision

    async def erase(self, document_id: str, *, reason: str = "") -> str:
        """Has every trace of a document removed from every part of the line; returns the id of the receipt."""
        async with calling("ingestion"):
            request = documents.EraseDocumentRequest(document_id=document_id, reason=reason)
            return (await self._ingestion.EraseDocument(request)).receipt_id

    async def receipt(self, receipt_id: str) -> Receipt:
        """What each owner of data removed so far, and who is silent."""
        async with calling("ingestion"):
            request = documents.GetErasureRequest(receipt_id=receipt_id)
            return receipts.receipt((await self._ingestion.GetErasure(request)).erasure)

    async def receipts(self) -> AsyncIterator[Receipt]:
        """All receipts, newest first."""
        token = ""
        while True:
            async with calling("ingestion"):
                request = documents.ListErasuresRequest(page_size=PAGE, page_token=token)
                page = await self._ingestion.ListErasures(request)
            for found in page.erasures:
                yield receipts.receipt(found)
            token = page.next_page_token
            if not token:
                return

    async def put_collection(
        self, name: str, *, expectations_json: str = "", max_tokens: int = 0, overlap_tokens: int = 0
    ) -> Collection:
        """Makes a collection, or changes its settings."""
        request = documents.PutCollectionRequest(
            name=name, settings=CollectionSettings(expectations_json=expectations_json)
        )
        if max_tokens:
            request.plan.CopyFrom(results.plan(max_tokens, overlap_tokens))
        async with calling("ingestion"):
            return results.collection((await self._ingestion.PutCollection(request)).collection)

    async def collections(self) -> list[Collection]:
        """All of the tenant's."""
        async with calling("ingestion"):
            found = await self._ingestion.ListCollections(documents.ListCollectionsRequest())
        return [results.collection(one) for one in found.collections]

    async def search(
        self,
        question: str,
        *,
        collections: Sequence[str] = ("default",),
        k: int = 10,
        filter: str = "",  # noqa: A002 - the word of the field
        principals: Sequence[str] = (),
    ) -> list[Passage]:
        """The best passages."""
        request = SearchRequest(question=question, collections=collections, k=k, filter=filter, principals=principals)
        async with calling("retrieval"):
            return [results.passage(found) for found in (await self._retrieval.Search(request)).passages]

    async def ask(
        self, question: str, *, collections: Sequence[str] = ("default",), **options: Any
    ) -> AsyncIterator[Step]:
        """Steps of an answer: Started, Sources, Token..., Finished. `options`: fields of AnswerRequest (k, filter, engine, ...)."""
        if grounding := options.pop("grounding", ""):
            options["grounding"] = generation.Grounding.Value(f"GROUNDING_{grounding.upper()}")
        request = answers.AnswerRequest(question=question, collections=collections, **options)
        async with calling("generation"):
            async for response in self._generation.Answer(request):
                if step := _step(response):
                    yield step

    async def answer(self, answer_id: str) -> Answer:
        """An answer as far as it has come, also after its connection was lost."""
        async with calling("generation"):
            return results.answer(await self._generation.GetAnswer(answers.GetAnswerRequest(answer_id=answer_id)))

    async def conversation(self, conversation_id: str) -> list[tuple[str, str]]:
        """Its turns as (role, text), oldest first."""
        async with calling("generation"):
            request = answers.GetConversationRequest(conversation_id=conversation_id)
            found = await self._generation.GetConversation(request)
        return [(message.role, message.content) for message in found.messages]

    async def forget_conversation(self, conversation_id: str) -> None:
        """Removes it."""
        async with calling("generation"):
            request = answers.DeleteConversationRequest(conversation_id=conversation_id)
            await self._generation.DeleteConversation(request)

    @property
    def datasets(self) -> Datasets:
        """Questions with what is known of their answers."""
        return Datasets(self._channel)

    @property
    def runs(self) -> Runs:
        """Evaluation runs, comparisons and gates."""
        return Runs(self._channel)

    @property
    def evaluation(self) -> Evaluation:
        """Scores of answers, and what people say of them."""
        return Evaluation(self._channel)

    @property
    def annotation(self) -> Annotation:
        """Answers that people label."""
        return Annotation(self._channel)

    @property
    def monitoring(self) -> Monitoring:
        """What differs from what was agreed as normal; predictions of models of one's own."""
        return Monitoring(self._channel)

    @property
    def indexes(self) -> Indexes:
        """Index versions: build, compare, switch, roll back, drop, verify, repair."""
        return Indexes(self._ingestion, self._retrieval, EmbeddingServiceStub(self._channel("embedding")))

    async def bus(self, user: str = "") -> Line:
        """The bus, for the operator or the user whose credentials these are. Unavailable when it is not known or away."""
        if not self._profile.nats_url:
            raise Unavailable("the bus's address is not known: set LOOPLINE_NATS_URL", reason="NO_LINE")
        settings = Nats(
            url=self._profile.nats_url,
            connect_s=BUS_WITHIN_S,
            credentials=self._profile.nats_credentials,
            tls=self._profile.tls,
        )
        return await self._stack.enter_async_context(open_line(settings, user or "operator"))

    async def events(self, subscriber: str, streams: tuple[str, ...] = ()) -> AsyncIterator[Event]:
        """The events of a durable that was made with `loopline subscribers add`; each is acknowledged when the next is asked for.

        With the team's own credentials name the streams that `add` told.
        """
        async for event in Subscribers(await self.bus(subscriber if streams else "")).read(subscriber, streams):
            yield event
            await event.ack()

    def _channel(self, service: str) -> grpc.aio.Channel:
        if service not in self._channels:
            target = self._profile.targets.get(service)
            if not target:
                raise Unavailable(
                    f"the address of {service} is not known: set LOOPLINE_{service.upper()}", reason="NO_LINE"
                )
            self._channels[service] = connect(
                target, key=self._profile.key, timeout_s=self._timeout_s, tls=self._profile.tls
            )
        return self._channels[service]

    @property
    def _ingestion(self) -> "IngestionServiceAsyncStub":
        return IngestionServiceStub(self._channel("ingestion"))

    @property
    def _retrieval(self) -> "RetrievalServiceAsyncStub":
        return RetrievalServiceStub(self._channel("retrieval"))

    @property
    def _generation(self) -> "GenerationServiceAsyncStub":
        return GenerationServiceStub(self._channel("generation"))


async def _upload(header: documents.DocumentHeader, data: Data) -> AsyncIterator[documents.SubmitDocumentRequest]:
    yield documents.SubmitDocumentRequest(header=header)
    if isinstance(data, bytes):
        for start in range(0, len(data), PART_BYTES):
            yield documents.SubmitDocumentRequest(data=data[start : start + PART_BYTES])
    elif isinstance(data, Path):
        with data.open("rb") as file:
            while part := file.read(PART_BYTES):
                yield documents.SubmitDocumentRequest(data=part)
    else:
        async for part in data:
            yield documents.SubmitDocumentRequest(data=part)


def _step(response: answers.AnswerResponse) -> Step | None:
    match response.WhichOneof("step"):
        case "started":
            return results.Started(response.started.answer_id, response.started.trace_id)
        case "sources":
            return results.Sources(tuple(results.passage(found) for found in response.sources.passages))
        case "token":
            return results.Token(response.token.text, response.token.unsupported)
        case "finished":
            return results.finished(response.finished)
        case _:
            return None
