"""Forward migrations by Alembic: one transaction that begins with a lock, so that of two processes one waits.

A service ships a folder of revisions, each a module with `revision`, `down_revision` and

    def upgrade(op: Operations) -> None: ...

There is no way back but a copy of the database: old code refuses a database that newer code has migrated.
"""

from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from loopline_runtime.errors import Rejected

VERSION_TABLE = "migrations"
# A long migration of one process is waited for by the others.
WAITS_S = 600


@dataclass(frozen=True)
class Migrations:
    """The revisions of one database, which is called `name`."""

    name: str
    folder: Path

    @property
    def head(self) -> str:
        """The newest revision."""
        return self._script.get_current_head() or ""

    async def apply(self, engine: AsyncEngine, upto: str = "head") -> list[str]:
        """Brings the database forward and returns the revisions applied, oldest first."""
        async with engine.connect() as db:
            await self._lock(db)
            applied = await db.run_sync(self._upgrade, upto)
            await db.commit()
            await _let_go(db)
        return applied

    async def _lock(self, db: AsyncConnection) -> None:
        if db.dialect.name == "sqlite":
            # Rebuilding a table drops it, which would delete what refers to it. Cannot be changed inside a transaction.
            await _pragma(db, "foreign_keys = off")
            await _pragma(db, f"busy_timeout = {WAITS_S * 1000}")
            await db.execution_options(writes=True)
            await db.begin()
            return
        await db.execute(text("set local statement_timeout = 0"))
        await db.execute(text(f"set local lock_timeout = '{WAITS_S}s'"))
        await db.execute(text("select pg_advisory_xact_lock(:key)"), {"key": crc32(self.name.encode())})
        await db.execute(text(f'create schema if not exists "{self.name}"'))

    def _upgrade(self, db: Connection, upto: str) -> list[str]:
        script = self._script
        context = MigrationContext.configure(db, opts={"version_table": VERSION_TABLE})
        current = context.get_current_revision()
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            raise Rejected(
                f"the {self.name} was written by newer code (revision {current}; this code knows {self.head}): "
                "run that version, or restore a copy made before it",
                reason="NEWER_SCHEMA",
            )
        steps = list(script.iterate_revisions(upto, current or "base"))[::-1]
        for step in steps:
            step.module.upgrade(Operations(context))
            context.stamp(script, step.revision)
        return [step.revision for step in steps]

    @property
    def _script(self) -> ScriptDirectory:
        return ScriptDirectory(str(self.folder), version_locations=[str(self.folder)])


async def _pragma(db: AsyncConnection, pragma: str) -> None:
    raw = await db.get_raw_connection()
    cursor = await raw.driver_connection.execute(f"pragma {pragma}")  # type: ignore[union-attr]
    await cursor.close()


async def _let_go(db: AsyncConnection) -> None:
    """The connection was set up for migrating; the next use gets a fresh one."""
    await db.invalidate()
