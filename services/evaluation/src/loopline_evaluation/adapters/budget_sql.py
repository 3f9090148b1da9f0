"""Who pays the judge, in SQL: set aside in one transaction, settled in another, so that the limit holds whatever happens between."""

import uuid

from sqlalchemy import delete, insert, select, update

from loopline_evaluation.adapters.tables import PURSES, RESERVATIONS
from loopline_evaluation.model import Purse, Reason, Spending, Unjudged
from loopline_sql.database import Database


class BudgetSql:
    """The port `Budget`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, purse: Purse, tokens: int) -> str:
        """See the port."""
        reservation = uuid.uuid4().hex
        async with self._database.transaction() as db:
            await self._database.hold(db, "purse", purse.name)
            mine = PURSES.c.purse == purse.name
            known = (await db.execute(select(PURSES).where(mine))).first()
            if known is None:
                zero = {"requests": 0, "prompt_tokens": 0, "completion_tokens": 0, "open_tokens": 0}
                await db.execute(insert(PURSES).values(purse=purse.name, **zero))
            spent = known.prompt_tokens + known.completion_tokens + known.open_tokens if known else 0
            if spent + tokens > purse.most_tokens:
                left = purse.most_tokens - spent
                told = f"{left} of {purse.most_tokens} tokens are left of {purse.name}; this request may need {tokens}"
                raise Unjudged(told, reason=Reason.BUDGET_SPENT)
            more = {"requests": PURSES.c.requests + 1, "open_tokens": PURSES.c.open_tokens + tokens}
            await db.execute(update(PURSES).where(mine).values(**more))
            await db.execute(insert(RESERVATIONS).values(id=reservation, purse=purse.name, tokens=tokens))
        return reservation

    async def settle(self, reservation: str, prompt_tokens: int, completion_tokens: int) -> None:
        """See the port."""
        async with self._database.transaction() as db:
            mine = RESERVATIONS.c.id == reservation
            held = (await db.execute(select(RESERVATIONS).where(mine))).first()
            if held is None:
                return
            await db.execute(delete(RESERVATIONS).where(mine))
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
