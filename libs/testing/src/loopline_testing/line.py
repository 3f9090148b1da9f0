"""The whole local line for tests: started by its own command, asked over gRPC, hurt with signals."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from loopline.ingestion.v1.ingestion_service_pb2 import (
    Document,
    DocumentHeader,
    DocumentState,
    ListDocumentsRequest,
    SubmitDocumentRequest,
    SubmitDocumentResponse,
)
from loopline.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceStub
from loopline.retrieval.v1.retrieval_service_pb2 import Passage, SearchRequest
from loopline.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from loopline_grpc.client import calling, connect
from loopline_runtime.errors import LooplineError, Unavailable
from loopline_runtime.tls import Tls

UP_WITHIN_S = 180
LOOPLINE = Path(sys.executable).with_name("loopline")
SETTLED = {
    DocumentState.DOCUMENT_STATE_INDEXED,
    DocumentState.DOCUMENT_STATE_REJECTED,
    DocumentState.DOCUMENT_STATE_FAILED,
    DocumentState.DOCUMENT_STATE_DELETED,
}


@dataclass
class LocalLine:
    """A line in a folder of its own."""

    home: Path

    def command(
        self, *words: str, check: bool = True, environment: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Runs `loopline WORDS` against this line and returns what it said."""
        variables = {"LOOPLINE_HOME": str(self.home), **(environment or {})}
        command = [*(f"{name}={value}" for name, value in variables.items()), str(LOOPLINE), *words]
        return subprocess.run(  # noqa: S603
            ["/usr/bin/env", *command],
            capture_output=True,
            text=True,
            check=check,
            **{"timeout": UP_WITHIN_S, **options},
        )

    def up(self, *options: str, **environment: str) -> None:
        """Starts it, with these variables for its services, and waits until every one is ready."""
        done = self.command("up", *options, check=False, environment=environment)
        if done.returncode:
            raise Unavailable(f"the line did not start: {done.stdout}{done.stderr}")

    def down(self) -> None:
        """Stops it."""
        self.command("down")

    @property
    def profile(self) -> dict[str, Any]:
        """What `up` wrote: addresses, key, process ids."""
        profile: dict[str, Any] = json.loads((self.home / "line.json").read_text())
        return profile

    def kill(self, name: str) -> None:
        """kill -9 of one process of the line; the supervisor is expected to start it again."""
        os.kill(self.profile["pids"][name], signal.SIGKILL)

    def channel(self, service: str, key: str = "") -> grpc.aio.Channel:
        """Calls to a service, with the line's key or another one."""
        profile = self.profile
        tls = Tls.model_validate(profile.get("tls", {}))
        return connect(profile["targets"][service], key=key or profile["key"], tls=tls)

    async def submit(
        self, source: str, data: bytes, collection: str = "default", *, key: str = "", **header: Any
    ) -> SubmitDocumentResponse:
        """Ingests one document; raises what the door answers."""
        head = DocumentHeader(collection=collection, source=source, size_bytes=len(data), **header)

        async def parts() -> Any:
            yield SubmitDocumentRequest(header=head)
            for start in range(0, len(data), 256 * 1024):
                yield SubmitDocumentRequest(data=data[start : start + 256 * 1024])

        async with self.channel("ingestion", key) as channel, calling("ingestion"):
            stub: Any = IngestionServiceStub(channel)
            response: SubmitDocumentResponse = await stub.SubmitDocument(parts())
            return response

    async def submit_in_spite(self, source: str, data: bytes, collection: str = "default") -> SubmitDocumentResponse:
        """Ingests one document as a patient client does: again and again while the door is away."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return await self.submit(source, data, collection)
            except (Unavailable, LooplineError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.3)

    async def documents(self, collection: str) -> list[Document]:
        """All documents of a collection."""
        found: list[Document] = []
        token = ""
        async with self.channel("ingestion") as channel, calling("ingestion"):
            stub: Any = IngestionServiceStub(channel)
            while True:
                page = await stub.ListDocuments(
                    ListDocumentsRequest(collection=collection, page_size=1000, page_token=token)
                )
                found += page.documents
                token = page.next_page_token
                if not token:
                    return found

    async def settled(self, collection: str, count: int, within_s: float = 120) -> list[Document]:
        """Waits until `count` documents are there and none is under way; in spite of services that are away."""
        deadline = time.monotonic() + within_s
        found: list[Document] = []
        while time.monotonic() < deadline:
            try:
                found = await self.documents(collection)
            except LooplineError:
                await asyncio.sleep(0.5)
                continue
            if len(found) >= count and all(document.state in SETTLED for document in found):
                return found
            await asyncio.sleep(0.3)
        raise AssertionError(f"not settled: {summary(found)}")

    async def search(
        self, question: str, collection: str = "default", *, key: str = "", **request: Any
    ) -> list[Passage]:
        """The passages found for a question."""
        async with self.channel("retrieval", key) as channel, calling("retrieval"):
            stub: Any = RetrievalServiceStub(channel)
            response = await stub.Search(SearchRequest(question=question, collections=[collection], **request))
            return list(response.passages)


def summary(documents: Iterable[Document]) -> dict[str, int]:
    """How many documents are in each state."""
    counts: dict[str, int] = {}
    for document in documents:
        name = DocumentState.Name(document.state)
        counts[name] = counts.get(name, 0) + 1
    return counts
