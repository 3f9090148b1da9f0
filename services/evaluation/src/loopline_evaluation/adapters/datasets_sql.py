"""Datasets in SQL: a version is a list of row hashes, a row lies there once."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline_evaluation.adapters.runs_tables import DATASETS, ROW_DOCUMENTS, ROWS, VERSION_ROWS
from loopline_evaluation.datasets.rows import Origin, Row, Version, content, row_of, version_hash
from loopline_runtime.errors import NotFound
from loopline_sql.database import Database

_AT_ONCE = 500
T = TypeVar("T")


class DatasetsSql:
    """The port `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def versions(self, tenant: str, name: str = "") -> list[Version]:
        """See the port."""
        which = DATASETS.c.tenant == tenant
        if name:
            query = select(DATASETS).where(which, DATASETS.c.name == name).order_by(DATASETS.c.number.desc())
        else:
            newest = select(DATASETS.c.name, func.max(DATASETS.c.number).label("number")).where(which)
            last = newest.group_by(DATASETS.c.name).subquery()
            same = (DATASETS.c.name == last.c.name) & (DATASETS.c.number == last.c.number)
            query = select(DATASETS).join(last, same).where(which).order_by(DATASETS.c.name)
        found = await self._database.rows(query)
        erased = await self._erased(tenant, [row.hash for row in found])
        return [_version(row, erased.get(row.hash, 0)) for row in found]

    async def rows(self, tenant: str, name: str, version: str) -> list[Row]:
        """See the port."""
        known = select(DATASETS.c.hash).where(
            DATASETS.c.tenant == tenant, DATASETS.c.name == name, DATASETS.c.hash == version
        )
        if not await self._database.rows(known.limit(1)):
            raise NotFound(
                f"there is no version {version[:32]} of {name[:64]}", reason="UNKNOWN_DATASET", field="dataset"
            )
        of_it = (VERSION_ROWS.c.tenant == tenant) & (VERSION_ROWS.c.hash == version)
        same = (ROWS.c.tenant == VERSION_ROWS.c.tenant) & (ROWS.c.row_hash == VERSION_ROWS.c.row_hash)
        query = (
            select(ROWS.c.content, ROWS.c.origin).join(VERSION_ROWS, same).where(of_it).order_by(VERSION_ROWS.c.place)
        )
        found = await self._database.rows(query)
        return [row_of(row.content, Origin(**row.origin)) for row in found if row.content is not None]

    async def add(self, tenant: str, name: str, rows: Sequence[Row], note: str, at: float) -> tuple[Version, bool]:
        """See the port."""
        wanted = version_hash(rows)
        which = (DATASETS.c.tenant == tenant, DATASETS.c.name == name)
        async with self._database.transaction() as tx:
            await self._database.hold(tx, tenant, name)
            last = (
                await tx.execute(select(DATASETS).where(*which).order_by(DATASETS.c.number.desc()).limit(1))
            ).first()
            if last and last.hash == wanted:
                # What was erased comes back only because somebody imports it again.
                await self._put_rows(tx, tenant, rows)
                return _version(last, 0), False
            await self._put_rows(tx, tenant, rows)
            number = last.number + 1 if last else 1
            values = {"number": number, "hash": wanted, "rows": len(rows), "created_at": at, "note": note}
            await tx.execute(DATASETS.insert().values(tenant=tenant, name=name, **values))
            places = [
                {"tenant": tenant, "hash": wanted, "place": place, "row_hash": row.hash}
                for place, row in enumerate(rows)
            ]
            for part in _parts(places):
                await tx.execute(self._database.insert(VERSION_ROWS).on_conflict_do_nothing(), part)
        return Version(name, number, wanted, len(rows), at, note), True

    async def erase(self, tenant: str, document: str, revision: int) -> int:
        """See the port. A row whose passages name no revision is erased whatever the order's."""
        which = (
            ROW_DOCUMENTS.c.tenant == tenant,
            ROW_DOCUMENTS.c.document == document,
            ROW_DOCUMENTS.c.revision <= revision,
        )
        async with self._database.transaction() as tx:
            hashes = [row.row_hash for row in await tx.execute(select(ROW_DOCUMENTS.c.row_hash).where(*which))]
            for part in _parts(hashes):
                erased = (ROWS.c.tenant == tenant) & ROWS.c.row_hash.in_(part)
                await tx.execute(update(ROWS).where(erased).values(content=None, origin={}))
            await tx.execute(delete(ROW_DOCUMENTS).where(*which))
        await self._database.checkpoint()
        return len(hashes)

    async def _put_rows(self, tx: AsyncConnection, tenant: str, rows: Sequence[Row]) -> None:
        told = [
            {"tenant": tenant, "row_hash": row.hash, "content": content(row), "origin": asdict(row.origin)}
            for row in rows
        ]
        for part in _parts(told):
            await tx.execute(self._database.insert(ROWS).on_conflict_do_nothing(), part)
        erased = {
            row.row_hash
            for row in await tx.execute(
                select(ROWS.c.row_hash).where(ROWS.c.tenant == tenant, ROWS.c.content.is_(None))
            )
        }
        for one in told:
            if one["row_hash"] in erased:
                which = (ROWS.c.tenant == tenant) & (ROWS.c.row_hash == one["row_hash"])
                await tx.execute(update(ROWS).where(which).values(content=one["content"], origin=one["origin"]))
        documents = {
            (passage.document, row.hash): passage.revision
            for row in rows
            for passage in row.passages
            if passage.document
        }
        links = [
            {"tenant": tenant, "document": document, "row_hash": row_hash, "revision": revision}
            for (document, row_hash), revision in documents.items()
        ]
        for linked in _parts(links):
            await tx.execute(self._database.insert(ROW_DOCUMENTS).on_conflict_do_nothing(), linked)

    async def _erased(self, tenant: str, hashes: Sequence[str]) -> dict[str, int]:
        same = (ROWS.c.tenant == VERSION_ROWS.c.tenant) & (ROWS.c.row_hash == VERSION_ROWS.c.row_hash)
        which = (VERSION_ROWS.c.tenant == tenant, VERSION_ROWS.c.hash.in_(hashes), ROWS.c.content.is_(None))
        count = func.count().label("erased")
        query = select(VERSION_ROWS.c.hash, count).join(ROWS, same).where(*which).group_by(VERSION_ROWS.c.hash)
        return {row.hash: row.erased for row in await self._database.rows(query)}


def _version(row: Any, erased: int) -> Version:
    return Version(row.name, row.number, row.hash, row.rows, row.created_at, row.note, erased)


def _parts(values: Sequence[T]) -> list[Sequence[T]]:
    return [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]
