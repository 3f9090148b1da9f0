"""Answers that were given elsewhere as a target: nothing is asked, so nothing costs."""

from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Answer, Passage
from loopline_evaluation.runs.model import Reply, Run
from loopline_evaluation.runs.ports import Runs
from loopline_evaluation.runs.working import failed


class GivenTarget:
    """The port `Target`. The first trial of a row is its first answer, and so on."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def reply(self, run: Run, row: Row, trial: int) -> Reply:
        """See the port."""
        given = (await self._runs.answers(run.tenant, run.spec.target.answers)).get(row.id, ())
        if trial >= len(given):
            return failed(
                run, row, f"NOT_GIVEN: row {row.id} has {len(given)} given answers, and this is trial {trial + 1}"
            )
        one = given[trial]
        passages = tuple(Passage("", "", text) for text in one.passages)
        return Reply(Answer("", run.tenant, row.question, one.text, passages), {"given": run.spec.target.answers[:12]})
