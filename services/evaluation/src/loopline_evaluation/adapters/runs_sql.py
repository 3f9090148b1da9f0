"""Runs in SQL. A run is worked on by whoever holds its lease; a unit's answer and its scores are kept once, whoever brings them first."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import String, cast, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline_evaluation import plain
from loopline_evaluation.adapters.runs_plain import reply_json, run_of, spec_json, unit_of
from loopline_evaluation.adapters.runs_tables import GATES, GIVEN, RUNS, TO_BE_SAID, UNITS
from loopline_evaluation.model import Cost, Score
from loopline_evaluation.ports import Waiting
from loopline_evaluation.runs.model import (
    Decided,
    GivenAnswer,
    Progress,
    Rate,
    Reply,
    Run,
    Spec,
    State,
    Unit,
    spent,
    tokens,
    total,
)
from loopline_evaluation.runs.summary import Summary
from loopline_runtime.errors import NotFound
from loopline_sql.database import Database

FINISHED_KIND, DECIDED_KIND = "evaluation_finished", "gate_decided"


class RunsSql:
    """The port `Runs`, and the outbox of what is to be said of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ready = database.ready

    async def create(self, run: Run) -> Run:
        """See the port."""
        values = {
            **{name: getattr(run, name) for name in ("run_id", "tenant", "by", "created_at", "units", "error")},
            "started_at": 0.0,
            "finished_at": 0.0,
            "owner": "",
            "leased_until": 0.0,
            "state": run.state.value,
            "spec": spec_json(run.spec),
            "target": str(run.spec.target)[:255],
        }
        async with self._database.transaction() as tx:
            await tx.execute(self._database.insert(RUNS).values(**values).on_conflict_do_nothing())
        kept = await self.get(run.tenant, run.run_id)
        if kept is None:
            raise NotFound("a run of this request id exists and is another tenant's", reason="UNKNOWN_RUN")
        return kept

    async def get(self, tenant: str, run_id: str) -> Run | None:
        """See the port."""
        found = await self._database.rows(select(RUNS).where(RUNS.c.tenant == tenant, RUNS.c.run_id == run_id))
        return run_of(found[0]) if found else None

    async def listed(self, tenant: str, most: int) -> list[Run]:
        """See the port."""
        query = (
            select(RUNS).where(RUNS.c.tenant == tenant).order_by(RUNS.c.created_at.desc(), RUNS.c.run_id).limit(most)
        )
        return [run_of(row) for row in await self._database.rows(query)]

    async def claim(self, owner: str, until: float, now: float) -> Run | None:
        """See the port."""
        waits = or_(
            RUNS.c.state == State.WAITING.value, (RUNS.c.state == State.RUNNING.value) & (RUNS.c.leased_until < now)
        )
        async with self._database.transaction() as tx:
            await self._database.hold(tx, "claim")
            others = RUNS.alias()
            running = (others.c.state == State.RUNNING.value) & (others.c.leased_until >= now)
            mine = select(func.count()).where(others.c.tenant == RUNS.c.tenant, running).scalar_subquery()
            # Who has fewer under way comes first: one tenant's many runs do not hold up another's one.
            query = select(RUNS).where(waits).order_by(mine, RUNS.c.created_at).limit(1)
            row = (await tx.execute(query)).first()
            if row is None:
                return None
            values = {"state": State.RUNNING.value, "owner": owner, "leased_until": until, "error": ""}
            began = {"started_at": row.started_at or now}
            await tx.execute(update(RUNS).where(RUNS.c.run_id == row.run_id).values(**values, **began))
            claimed = (await tx.execute(select(RUNS).where(RUNS.c.run_id == row.run_id))).one()
        return run_of(claimed)

    async def renew(self, run_id: str, owner: str, until: float) -> bool:
        """See the port."""
        held = (RUNS.c.run_id == run_id) & (RUNS.c.owner == owner) & (RUNS.c.state == State.RUNNING.value)
        async with self._database.transaction() as tx:
            done = await tx.execute(update(RUNS).where(held).values(leased_until=until))
        return bool(done.rowcount)

    async def settle(self, run_id: str, state: State, at: float, error: str = "") -> None:
        """See the port."""
        async with self._database.transaction() as tx:
            await _settle(tx, run_id, state, at, error)

    async def finish(self, run: Run, at: float, told: Summary) -> None:
        """See the port."""
        body = {"run": {"run_id": run.run_id, "spec": spec_json(run.spec)}, "summary": asdict(told), "at": at}
        async with self._database.transaction() as tx:
            await _settle(tx, run.run_id, State.FINISHED, at, "")
            await self._to_be_said(tx, f"{run.run_id}/finished", FINISHED_KIND, run.tenant, body)

    async def decided(self, tenant: str, decided: Decided) -> None:
        """See the port."""
        values = {"gate_id": decided.gate_id, "tenant": tenant, "run_id": decided.run_id, "decided": asdict(decided)}
        async with self._database.transaction() as tx:
            done = await tx.execute(self._database.insert(GATES).values(**values).on_conflict_do_nothing())
            if done.rowcount:
                await self._to_be_said(tx, decided.gate_id, DECIDED_KIND, tenant, asdict(decided))

    async def units(self, run_id: str) -> list[Unit]:
        """See the port."""
        query = select(UNITS).where(UNITS.c.run_id == run_id).order_by(UNITS.c.row_id, UNITS.c.trial)
        return [unit_of(row) for row in await self._database.rows(query)]

    async def put_reply(self, run_id: str, row_id: str, trial: int, reply: Reply) -> None:
        """See the port."""
        values = {"reply": reply_json(reply), "scores": None, "answered_at": time.time(), **asdict(reply.cost)}
        keys = {"run_id": run_id, "row_id": row_id, "trial": trial}
        async with self._database.transaction() as tx:
            await tx.execute(self._database.insert(UNITS).values(**keys, **values).on_conflict_do_nothing())

    async def put_scores(self, run_id: str, row_id: str, trial: int, scores: Sequence[Score]) -> None:
        """See the port."""
        which = (UNITS.c.run_id == run_id, UNITS.c.row_id == row_id, UNITS.c.trial == trial, UNITS.c.scores.is_(None))
        async with self._database.transaction() as tx:
            row = (await tx.execute(select(UNITS).where(*which))).first()
            if row is None:
                return
            cost = total([spent(unit_of(row)), *(score.cost for score in scores)])
            values = {"scores": [plain.to_json(score) for score in scores], **asdict(cost)}
            await tx.execute(update(UNITS).where(*which).values(**values))

    async def progress(self, run: Run, now: float) -> Progress:
        """See the port. What is left is reckoned from what is done, and from the time since the first of it."""
        sums = [
            func.coalesce(func.sum(UNITS.c[name]), 0).label(name)
            for name in ("requests", "prompt_tokens", "completion_tokens")
        ]
        done = func.count(UNITS.c.scores).label("done")
        query = select(done, *sums, func.sum(UNITS.c.money).label("money")).where(UNITS.c.run_id == run.run_id)
        row = (await self._database.rows(query))[0]
        cost = Cost(int(row.requests), int(row.prompt_tokens), int(row.completion_tokens), row.money)
        elapsed = max(0.0, (run.finished_at or now) - run.started_at) if run.started_at else 0.0
        left = run.units - row.done
        known = row.done > 0
        return Progress(
            run,
            row.done,
            elapsed,
            elapsed / row.done * left if known else None,
            cost,
            round(tokens(cost) / row.done * left) if known else None,
        )

    async def rate(self, tenant: str, spec: Spec) -> Rate | None:
        """See the port."""
        which = (RUNS.c.tenant == tenant, RUNS.c.target == str(spec.target)[:255], RUNS.c.state == State.FINISHED.value)
        newest = select(RUNS).where(*which).order_by(RUNS.c.created_at.desc()).limit(20)
        for row in await self._database.rows(newest):
            run = run_of(row)
            if run.spec.metrics == spec.metrics and run.units:
                progress = await self.progress(run, run.finished_at)
                money = progress.spent.money
                return Rate(
                    progress.elapsed_s / run.units * run.spec.at_once / spec.at_once,
                    tokens(progress.spent) / run.units,
                    None if money is None else money / run.units,
                )
        return None

    async def put_answers(self, tenant: str, name: str, answers: Mapping[str, Sequence[GivenAnswer]]) -> None:
        """See the port."""
        told = {row: [asdict(answer) for answer in given] for row, given in answers.items()}
        async with self._database.transaction() as tx:
            values = {"tenant": tenant, "name": name, "answers": told}
            await tx.execute(self._database.insert(GIVEN).values(**values).on_conflict_do_nothing())

    async def answers(self, tenant: str, name: str) -> Mapping[str, Sequence[GivenAnswer]]:
        """See the port."""
        found = await self._database.rows(select(GIVEN.c.answers).where(GIVEN.c.tenant == tenant, GIVEN.c.name == name))
        if not found:
            raise NotFound(
                "there are no given answers of this name: put them first", reason="UNKNOWN_ANSWERS", field="target"
            )
        return {
            row: [GivenAnswer(one["text"], tuple(one["passages"])) for one in given]
            for row, given in found[0].answers.items()
        }

    async def erase(self, tenant: str, document: str, revision: int = 0) -> int:
        """Takes the text out of answers made from a document up to a revision; returns of how many. Their scores stay."""
        of_tenant = select(RUNS.c.run_id).where(RUNS.c.tenant == tenant)
        names = cast(UNITS.c.reply, String).contains(document, autoescape=True)
        async with self._database.transaction() as tx:
            rows = (await tx.execute(select(UNITS).where(UNITS.c.run_id.in_(of_tenant), names))).all()
            found = [row for row in rows if _made_from(row.reply, document, revision)]
            for row in found:
                which = (UNITS.c.run_id == row.run_id, UNITS.c.row_id == row.row_id, UNITS.c.trial == row.trial)
                answer = {**row.reply["answer"], "text": "", "question": "", "passages": [], "readable": False}
                scores = [{**score, "evidence": []} for score in row.scores or ()] if row.scores is not None else None
                await tx.execute(
                    update(UNITS).where(*which).values(reply={**row.reply, "answer": answer}, scores=scores)
                )
        await self._database.checkpoint()
        return len(found)

    async def waiting(self) -> Sequence[Waiting]:
        """What is to be said, the oldest first."""
        found = await self._database.rows(select(TO_BE_SAID).order_by(TO_BE_SAID.c.number).limit(100))
        return [Waiting(row.number, row.id, row.kind, row.tenant, row.body) for row in found]

    async def said(self, number: int) -> None:
        """One is said."""
        async with self._database.transaction() as tx:
            await tx.execute(TO_BE_SAID.delete().where(TO_BE_SAID.c.number == number))

    async def _to_be_said(self, tx: AsyncConnection, key: str, kind: str, tenant: str, body: object) -> None:
        values = {"id": key, "kind": kind, "tenant": tenant, "body": json.dumps(body).encode()}
        await tx.execute(self._database.insert(TO_BE_SAID).values(**values).on_conflict_do_nothing())


def _made_from(reply: Mapping[str, Any], document: str, revision: int) -> bool:
    passages = reply["answer"]["passages"]
    return any(one["document"] == document and one.get("revision", 0) <= revision for one in passages)


async def _settle(tx: AsyncConnection, run_id: str, state: State, at: float, error: str) -> None:
    kept = [State.FINISHED.value, State.CANCELLED.value]
    which = (RUNS.c.run_id == run_id) & RUNS.c.state.not_in(kept)
    over = at if state.over else 0.0
    await tx.execute(
        update(RUNS).where(which).values(state=state.value, finished_at=over, error=error[:2000], owner="")
    )
