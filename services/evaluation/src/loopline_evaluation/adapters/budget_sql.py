"""Who pays the judge, in SQL: set aside in one transaction, settled in another, so that the limit holds whatever happens between."""

import uuid

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline_evaluation.adapters.tables import PURSES, RESERVATIONS
from loopline_evaluation.model import Purse, Reason, Spending, Unjudged
from loopline_sql.database import Database

SPENT = PURSES.c.prompt_tokens + PURSES.c.completion_tokens + PURSES.c.open_tokens


class BudgetSql:
    """The port `Budget`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, purse: Purse, tokens: int) -> str:
        """See the port."""
        reservation = uuid.uuid4().hex
        async with self._database.transaction() as db:
            if not await _taken(db, purse, tokens):
                zero = {"requests": 0, "prompt_tokens": 0, "completion_tokens": 0, "open_tokens": 0}
                made = self._database.insert(PURSES).values(purse=purse.name, **zero).on_conflict_do_nothing()
                if not (await db.execute(made)).rowcount or not await _taken(db, purse, tokens):
                    known = (await db.execute(select(SPENT).where(PURSES.c.purse == purse.name))).scalar_one()
                    left = purse.most_tokens - known
                    told = (
                        f"{left} of {purse.most_tokens} tokens are left of {purse.name}; this request may need {tokens}"
                    )
                    raise Unjudged(told, reason=Reason.BUDGET_SPENT)
            await db.execute(insert(RESERVATIONS).values(id=reservation, purse=purse.name, tokens=tokens))
        return reservation

    async def settle(self, reservation: str, prompt_tokens: int, completion_tokens: int) -> None:
        """See the port."""
        async with self._database.transaction() as db:
            taken = delete(RESERVATIONS).where(RESERVATIONS.c.id == reservation)
            held = (await db.execute(taken.returning(RESERVATIONS.c.purse, RESERVATIONS.c.tokens))).first()
            if held is None:
                return
            done = {
                "open_tokens": PURSES.c.open_tokens - held.tokens,
                "prompt_tokens": PURSES.c.prompt_tokens + prompt_tokens,
                "completion_tokens": PURSES.c.completion_tokens + completion_tokens,
            }
            await db.execute(update(PURSES).where(PURSES.c.purse == held.purse).values(**done))

    async def spent(self, purse: str) -> Spending:
        """See the port."""
        rows = await self._database.rows(select(PURSES).where(PURSES.c.purse == purse))
        if not rows:
            return Spending()
        return Spending(rows[0].requests, rows[0].prompt_tokens, rows[0].completion_tokens, rows[0].open_tokens)


async def _taken(db: AsyncConnection, purse: Purse, tokens: int) -> bool:
    """Sets so many aside and counts the request, in one statement; False when the purse is not there or has not so much left."""
    more = {"requests": PURSES.c.requests + 1, "open_tokens": PURSES.c.open_tokens + tokens}
    enough = (PURSES.c.purse == purse.name, SPENT + tokens <= purse.most_tokens)
    return bool((await db.execute(update(PURSES).where(*enough).values(**more))).rowcount)
