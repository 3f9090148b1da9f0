"""Which kept answers quote which document, and what becomes of them when it is erased.

Functions over a connection in a transaction of the records' database.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Text, and_, cast, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline_generation import plain
from loopline_generation.adapters.records_tables import ANSWERS, ERASED, SOURCES, TURNS
from loopline_generation.model import Erased, Record, quotes, scrubbed

AT_ONCE = 50
# Fewer characters may stand in another answer by chance.
TELLING = 24


async def noted(db: AsyncConnection, record: Record) -> None:
    """Remembers what an answer quotes; an answer that is given still grows."""
    revisions: dict[str, int] = {}
    for passage in record.passages:
        revisions[passage.document] = min(passage.revision, revisions.get(passage.document, passage.revision))
    if not revisions:
        return
    known = select(SOURCES.c.document_id).where(SOURCES.c.answer_id == record.answer_id)
    seen = {row.document_id for row in (await db.execute(known)).all()}
    common = {"tenant": record.tenant, "answer_id": record.answer_id}
    rows = [{**common, "document_id": d, "revision": r} for d, r in revisions.items() if d not in seen]
    if rows:
        await db.execute(SOURCES.insert(), rows)


async def noted_all(db: AsyncConnection) -> None:
    """Answers of a former version, which did not note what they quote."""
    if (await db.execute(select(SOURCES.c.answer_id).limit(1))).first() is None:
        for record in await _records(db, ANSWERS.c.outcome != ""):
            await noted(db, record)


async def cleaned(db: AsyncConnection, record: Record) -> Record:
    """The record, without its words when it quotes what was erased meanwhile."""
    documents = sorted({passage.document for passage in record.passages})
    if not documents:
        return record
    which = and_(ERASED.c.tenant == record.tenant, ERASED.c.document_id.in_(documents))
    erased = (await db.execute(select(ERASED.c.document_id, ERASED.c.revision).where(which))).all()
    return scrubbed(record) if any(quotes(record, row.document_id, row.revision) for row in erased) else record


async def remember(db: AsyncConnection, tenant: str, document: str, revision: int) -> None:
    """From now on nothing that quotes the document up to this revision is kept."""
    which = and_(ERASED.c.tenant == tenant, ERASED.c.document_id == document)
    known = (await db.execute(select(ERASED.c.revision).where(which))).first()
    if known is None:
        await db.execute(ERASED.insert().values(tenant=tenant, document_id=document, revision=revision))
    elif known.revision < revision:
        await db.execute(update(ERASED).where(which).values(revision=revision))


async def quoting(db: AsyncConnection, tenant: str, document: str, revision: int) -> list[Record]:
    """The answers that quote it: those its passages were given to."""
    mine = and_(SOURCES.c.tenant == tenant, SOURCES.c.document_id == document, SOURCES.c.revision <= revision)
    return await _records(db, ANSWERS.c.answer_id.in_(select(SOURCES.c.answer_id).where(mine)))


async def affected(db: AsyncConnection, tenant: str, document: str, revision: int) -> list[Record]:
    """The answers that quote it, all that follow in their conversations, and those that carry the words of one of them on."""
    found = {record.answer_id: record for record in await quoting(db, tenant, document, revision)}
    fresh: Sequence[Record] = list(found.values())
    while fresh:
        fresh = [r for r in await _following(db, tenant, fresh) if r.answer_id not in found]
        found |= {record.answer_id: record for record in fresh}
    return list(found.values())


async def erase(db: AsyncConnection, tenant: str, document: str, revision: int) -> Erased:
    """Takes the words out of every answer affected, and removes their conversations."""
    found = await affected(db, tenant, document, revision)
    for record in found:
        which = ANSWERS.c.answer_id == record.answer_id
        await db.execute(update(ANSWERS).where(which).values(record=plain.to_json(scrubbed(record))))
    await db.execute(delete(SOURCES).where(SOURCES.c.answer_id.in_([record.answer_id for record in found])))
    conversations = {record.conversation_id for record in found} - {""}
    mine = and_(TURNS.c.tenant == tenant, TURNS.c.conversation_id.in_(conversations))
    turns = (await db.execute(delete(TURNS).where(mine))).rowcount
    return Erased(len(found), int(turns))


async def _following(db: AsyncConnection, tenant: str, records: Sequence[Record]) -> list[Record]:
    """Answers given later in the same conversations, or with the words of one of these in what was asked."""
    since = and_(ANSWERS.c.tenant == tenant, ANSWERS.c.started_at >= min(record.started_at for record in records))
    conversations = {record.conversation_id for record in records} - {""}
    told = [record.text for record in records if len(record.text) >= TELLING]
    found: list[Record] = []
    for part in (told[start : start + AT_ONCE] for start in range(0, len(told), AT_ONCE)):
        candidates = await _records(db, and_(since, or_(*(_holds(text) for text in part))))
        found += [r for r in candidates if any(text in said.content for said in r.prompt for text in part)]
    if conversations:
        inside = or_(*(_holds(f'"conversation_id": {json.dumps(name)}', whole=True) for name in sorted(conversations)))
        found += [r for r in await _records(db, and_(since, inside)) if r.conversation_id in conversations]
    return found


def _holds(text: str, *, whole: bool = False) -> Any:
    """Whether a record's JSON holds a text (as it stands there, or as it is)."""
    return cast(ANSWERS.c.record, Text).contains(text if whole else json.dumps(text)[1:-1], autoescape=True)


async def _records(db: AsyncConnection, which: Any) -> list[Record]:
    rows: Iterable[Any] = (await db.execute(select(ANSWERS.c.record).where(which))).all()
    return [plain.from_json(row.record) for row in rows]
