"""A model that the embedding service does not have is told once, before anybody asks."""

import pytest
from structlog.testing import capture_logs

from loopline_retrieval.adapters.fakes import FakeServing
from loopline_retrieval.answerable import Answerable
from loopline_retrieval.model import Model
from loopline_runtime.errors import Unavailable


class Service:
    """An embedding service with some models."""

    def __init__(self, *models: Model) -> None:
        self.models = set(models)

    async def embed(self, question: str, model: Model) -> bytes:
        if model in self.models:
            return bytes(4 * model.dimension)
        named = [(known.name, known.revision) for known in self.models]
        reason = "WRONG_DIMENSION" if (model.name, model.revision) in named else "UNKNOWN_MODEL"
        raise Unavailable("no embedding service has the model of this index", reason=reason)


@pytest.mark.parametrize("other", [Model("words", "r2", 8), Model("words", "r1", 16)], ids=["revision", "dimension"])
async def test_a_model_that_is_not_served_is_told_once_and_again_when_it_is(other: Model):
    known = Model("words", "r1", 8)
    serving, service = FakeServing(), Service(known)
    await serving.begin("acme", "default", "v1", known)
    await serving.begin("acme", "manuals", "v3", other)
    looking = Answerable(serving, service)
    with capture_logs() as logs:
        await looking.look()
        await looking.look()
    ((level, model, indexes),) = [(one["log_level"], one["model"], one["indexes"]) for one in logs]
    assert (level, model, indexes) == ("error", f"words@{other.revision}", ["acme/manuals/v3"])
    service.models.add(other)
    with capture_logs() as logs:
        await looking.look()
        await looking.look()
    assert [one["event"] for one in logs] == ["the model is served again"]
