"""In memory, for unit tests."""

from collections.abc import Callable, Sequence

from loopline_retrieval.model import Known, Model, Vector
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


class FakeServing:
    """The port `Serving`."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], tuple[str, Model]] = {}

    async def of(self, tenant: str, collection: str) -> tuple[str, Model] | None:
        """See the port."""
        return self.versions.get((tenant, collection))

    async def begin(self, tenant: str, collection: str, version: str, model: Model) -> None:
        """See the port."""
        self.versions.setdefault((tenant, collection), (version, model))


class FakeQuestions:
    """The port `Questions`: each known word is a direction."""

    def __init__(self, embed: Callable[[str], Vector]) -> None:
        self._embed = embed

    async def embed(self, question: str, model: Model) -> Vector:
        """See the port."""
        return self._embed(question)

    async def embed_all(self, texts: Sequence[str], model: Model) -> Sequence[Vector]:
        """See the port."""
        return [self._embed(text) for text in texts]
