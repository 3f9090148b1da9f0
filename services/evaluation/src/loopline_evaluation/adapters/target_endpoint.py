"""An OpenAI-compatible server as a target: it is asked the question, with the row's own passages where it has some; of choices it is asked how
likely each one is.

MMLU's way: the choices lettered, the likeliest letter after `Answer:`. HellaSwag's way (rows of kind completion): the ending that is likeliest
for each of its characters.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from pydantic import SecretStr

from loopline_evaluation.adapters.endpoint import Endpoint, Said
from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Answer, Cost, Passage
from loopline_evaluation.runs.model import Reply, Run, total
from loopline_evaluation.runs.prompting import messages_of
from loopline_evaluation.runs.seeds import seed_of
from loopline_evaluation.runs.working import failed
from loopline_runtime.errors import Rejected

LETTERS = "ABCDEFGHIJ"


class EndpointTarget:
    """The port `Target`. `keys`: API keys by the beginning of an address; a key goes nowhere else."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    @classmethod
    @asynccontextmanager
    async def opened(cls, run: Run, keys: Mapping[str, SecretStr], timeout_s: float) -> AsyncIterator["EndpointTarget"]:
        """For one run. `keys`: by the beginning of an address."""
        url = run.spec.target.url.rstrip("/")
        known = (key for start, key in keys.items() if (url + "/").startswith(start.rstrip("/") + "/"))
        key = next(known, SecretStr("")).get_secret_value()
        async with Endpoint.opened(url, key, model=run.spec.overrides.model, timeout_s=timeout_s) as endpoint:
            yield cls(endpoint)

    async def reply(self, run: Run, row: Row, trial: int) -> Reply:
        """See the port."""
        began = time.perf_counter()
        chosen = None
        try:
            if row.choices:
                chosen, said = await self._choice(row)
            else:
                over = run.spec.overrides
                options = {"temperature": over.temperature, "max_tokens": over.max_tokens}
                seed = seed_of(run.spec.seed, row.id, trial)
                said = await self._endpoint.chat(messages_of(row, over.prompt), seed=seed, **options)
        except Rejected as error:
            return failed(run, row, f"{error.reason}: {error}")
        passages = tuple(Passage(one.chunk, one.document, one.text, source=one.source) for one in row.passages)
        took = (time.perf_counter() - began) * 1000
        answer = Answer("", run.tenant, row.question, said.text, passages, total_ms=took, started_at=time.time())
        return Reply(answer, {"model": said.model, "target": self._endpoint.url}, said.cost, chosen=chosen)

    async def _choice(self, row: Row) -> tuple[int, Said]:
        if row.metadata.get("kind") == "completion":
            return await self._ending(row)
        listed = "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, row.choices, strict=False))
        found, said = await self._endpoint.letters(f"{row.question}\n{listed}\nAnswer:", LETTERS[: len(row.choices)])
        chosen = max(range(len(found)), key=found.__getitem__)
        return chosen, Said(row.choices[chosen], said.model, said.cost)

    async def _ending(self, row: Row) -> tuple[int, Said]:
        likely: list[float] = []
        costs: list[Cost] = []
        model = ""
        for choice in row.choices:
            weight, said = await self._endpoint.continuation(row.question, f" {choice}")
            likely.append(weight / len(choice))
            costs.append(said.cost)
            model = said.model
        chosen = max(range(len(likely)), key=likely.__getitem__)
        return chosen, Said(row.choices[chosen], model, total(costs))
