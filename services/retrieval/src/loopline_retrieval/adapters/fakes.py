"""In memory, for unit tests."""

from collections.abc import AsyncIterator, Callable, Sequence

from loopline_retrieval.model import Known, Model, Space, Vector
from loopline_retrieval.versions import Index
from loopline_runtime.errors import Aborted


class FakeKnowledge:
    """The port `Knowledge`; `before_put` runs ahead of each change, as a rival replica would."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str, str], tuple[Known, int]] = {}
        self.before_put: Callable[[], None] = lambda: None

    async def get(self, tenant: str, collection: str, document: str) -> tuple[Known, int]:
        """See the port."""
        return self.entries.get((tenant, collection, document), (Known(), 0))

    async def put_if(self, tenant: str, collection: str, document: str, known: Known, token: int) -> None:
        """See the port."""
        self.before_put()
        key = (tenant, collection, document)
        if self.entries.get(key, (Known(), 0))[1] != token:
            raise Aborted("changed meanwhile")
        self.entries[key] = (known, token + 1)

    async def all(self, tenant: str, collection: str) -> AsyncIterator[tuple[str, Known]]:
        """See the port."""
        for (whose, where, document), (known, _) in list(self.entries.items()):
            if (whose, where) == (tenant, collection):
                yield document, known


class FakeServing:
    """The port `Serving`."""

    def __init__(self) -> None:
        self.indexes: dict[tuple[str, str], tuple[Index, int]] = {}

    async def of(self, tenant: str, collection: str) -> tuple[str, Model] | None:
        """See the port."""
        index, _ = await self.index(tenant, collection)
        return (index.serving, index.versions[index.serving]) if index else None

    async def dropped(self, space: Space) -> bool:
        """See the port."""
        index, _ = await self.index(space.tenant, space.collection)
        return index is not None and space.version in index.dropped

    async def index(self, tenant: str, collection: str) -> tuple[Index | None, int]:
        """See the port."""
        return self.indexes.get((tenant, collection), (None, 0))

    async def put_if(self, tenant: str, collection: str, index: Index, token: int) -> None:
        """See the port."""
        if (await self.index(tenant, collection))[1] != token:
            raise Aborted("changed meanwhile")
        self.indexes[tenant, collection] = (index, token + 1)

    async def all(self) -> list[tuple[str, str]]:
        """See the port."""
        return list(self.indexes)

    async def begin(self, tenant: str, collection: str, version: str, model: Model) -> None:
        """Makes a collection's first version serve."""
        self.indexes.setdefault((tenant, collection), (Index(version, {version: model}), 1))


class FakeQuestions:
    """The port `Questions`: each known word is a direction; a model of fewer dimensions knows only the first ones."""

    def __init__(self, embed: Callable[[str], Vector]) -> None:
        self._embed = embed

    async def embed(self, question: str, model: Model) -> Vector:
        """See the port."""
        return self._embed(question)[: 4 * model.dimension]

    async def embed_all(self, texts: Sequence[str], model: Model) -> Sequence[Vector]:
        """See the port."""
        return [self._embed(text) for text in texts]


async def untold(_tenant: str, _collection: str) -> None:
    """Where nobody wants to hear what serves."""
