"""Whether a question to each index version can be embedded: looked at from the start on, so that no asker is the first to learn it."""

import asyncio
from collections import defaultdict

import structlog

from loopline_grpc.access import acting_for
from loopline_retrieval.model import Model
from loopline_retrieval.ports import Questions, Serving
from loopline_runtime.errors import LooplineError, Unavailable

log = structlog.get_logger(__name__)
EVERY_S = 30.0
# What no later try makes right: somebody has to configure the embedding service.
REASONS = ("UNKNOWN_MODEL", "WRONG_DIMENSION")


class Answerable:
    """Says once what is wrong with a model, and once that it is right again."""

    def __init__(self, serving: Serving, questions: Questions) -> None:
        self._serving = serving
        self._questions = questions
        self._wrong: set[Model] = set()

    async def keep_looking(self) -> None:
        """Without end."""
        while True:
            try:
                await self.look()
            except LooplineError as error:
                log.info("whether the indexes' models are served cannot be told now", error=str(error))
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Asks for a vector by the model of every version that is kept; LooplineError while bus or embedding service are away."""
        used: dict[Model, list[tuple[str, str, str]]] = defaultdict(list)
        for tenant, collection in await self._serving.all():
            index, _ = await self._serving.index(tenant, collection)
            for version, model in index.versions.items() if index else ():
                used[model].append((tenant, collection, version))
        for model, places in used.items():
            try:
                with acting_for(places[0][0]):
                    await self._questions.embed("is this model served?", model)
            except Unavailable as error:
                if error.reason not in REASONS:
                    raise
                self._note(model, places, str(error))
            else:
                self._note(model, places, "")

    def _note(self, model: Model, places: list[tuple[str, str, str]], wrong: str) -> None:
        """`wrong`: empty when nothing is."""
        told = {"model": f"{model.name}@{model.revision}", "indexes": ["/".join(place) for place in places]}
        if wrong and model not in self._wrong:
            self._wrong.add(model)
            log.error("these indexes cannot be searched until the embedding service has their model", why=wrong, **told)
        elif not wrong and model in self._wrong:
            self._wrong.remove(model)
            log.info("the model is served again", **told)
