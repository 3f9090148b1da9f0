"""In memory, for unit tests."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from loopline_ingestion.model import Collection, Cut, Document, Extracted, IndexPlan, Place, Reason, Refused, Work
from loopline_ingestion.ports import Change, Stored, Upload
from loopline_ingestion.receipts import Order
from loopline_runtime.errors import Aborted, Invalid, NotFound


@dataclass
class FakeHistory:
    """The port `History`: one list of facts. `rivals` change the document before that many sayings."""

    facts: list[tuple[str, Change]] = field(default_factory=list)
    rivals: int = 0
    plans: list[Collection] = field(default_factory=list)
    retirements: list[tuple[str, str, str]] = field(default_factory=list)
    builds: list[str] = field(default_factory=list)
    again: list[Document] = field(default_factory=list)
    busy: bool = False

    async def last(self, tenant: str, document_id: str) -> Change | None:
        """See the port."""
        return next((change for found, change in reversed(self.facts) if found == document_id), None)

    async def accept(self, document: Document, after: int) -> int:
        """See the port."""
        return await self._say("document_accepted", document, after)

    async def change_readers(self, document: Document, after: int) -> int:
        """See the port."""
        return await self._say("document_readers_changed", document, after)

    async def delete(self, document: Document, after: int) -> int:
        """See the port."""
        return await self._say("document_deleted", document, after)

    async def reject(self, document: Document) -> int:
        """What the service itself says when extraction refuses."""
        last = await self.last(document.tenant, document.document_id)
        return await self._say("document_rejected", document, last.sequence if last else 0)

    async def _say(self, kind: str, document: Document, after: int) -> int:
        if self.rivals:
            self.rivals -= 1
            self._add("document_accepted", document.document_id, "a rival's", ())
        last = await self.last(document.tenant, document.document_id)
        if (last.sequence if last else 0) != after:
            raise Aborted("changed meanwhile")
        return self._add(kind, document.document_id, document.version, document.readers)

    def _add(self, kind: str, document_id: str, version: str, readers: tuple[str, ...]) -> int:
        sequence = len(self.facts) + 1
        self.facts.append((document_id, Change(kind, sequence, sequence, version, readers)))
        return sequence

    async def order_erasure(self, order: Order, after: int) -> int:
        """See the port."""
        last = await self.last(order.tenant, order.document_id)
        if (last.sequence if last else 0) != after:
            raise Aborted("changed meanwhile")
        return self._add("document_erasure_ordered", order.document_id, "", ())

    async def plan(self, collection: Collection, number: int) -> int:
        """See the port."""
        self.plans.append(collection)
        return len(self.facts) + 1

    async def retire(self, tenant: str, collection: str, version: str, by: str, reason: str) -> int:
        """See the port."""
        self.retirements.append((version, by, reason))
        return len(self.retirements)

    async def build_again(self, plan: IndexPlan, attempt: str) -> None:
        """See the port."""
        self.builds.append(plan.version)

    async def work_again(self, document: Document, attempt: int | str) -> None:
        """See the port."""
        self.again.append(document)

    async def under_way(self, document: Document) -> bool:
        """See the port."""
        return self.busy


@dataclass
class FakeUploads:
    """The port `Uploads`."""

    stored: dict[str, bytes] = field(default_factory=dict)
    age_s: float = 0.0

    async def put(self, name: str, parts: AsyncIterator[bytes], turn: AbstractAsyncContextManager[object]) -> Stored:
        """See the port; the hash is the text itself, which tells as much."""
        data = b"".join([part async for part in parts])
        async with turn:
            self.stored[name] = data
        return Stored(len(data), data.hex())

    async def get(self, name: str) -> AsyncIterator[bytes]:
        """See the port."""
        if name not in self.stored:
            raise NotFound(f"no object {name}")
        yield self.stored[name]

    async def delete(self, name: str) -> None:
        """See the port."""
        self.stored.pop(name, None)

    async def has(self, name: str) -> bool:
        """See the port."""
        return name in self.stored

    async def all(self) -> list[Upload]:
        """See the port."""
        return [Upload(name, self.age_s) for name in self.stored]


class FakeExtraction:
    """The port `Extraction`: every line is a passage; a text that says `refuse` is refused."""

    async def extract(self, work: Work) -> Extracted | Refused:
        """See the port."""
        with open(work.path) as file:  # noqa: ASYNC230 - a test's small file
            lines = file.read().splitlines()
        if "refuse" in lines:
            return Refused((Reason("NO_TEXT", "there is no text in it"),))
        cuts = tuple(Cut(place, line, Place(page=1)) for place, line in enumerate(lines))
        return Extracted(work.source, "text/plain", cuts, sum(map(len, lines)))

    async def check_suite(self, expectations_json: str) -> None:
        """See the port."""
        if expectations_json == "wrong":
            raise Invalid("the suite is not understood", field="settings.expectations_json")
