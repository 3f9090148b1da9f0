"""One space in one SQLite file: exact vectors by sqlite-vec, words by FTS5, one transaction for everything.

Chunks of a revision that is not shown lie in `chunk` alone; showing a revision writes it into the two indexes and removes the older one,
in one transaction, so a search sees the old revision whole or the new one whole.
"""

import itertools
import json
import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlite_vec
from pysqlite3 import dbapi2 as sqlite

from loopline_retrieval.adapters.sqlite_filter import Sql, compiled
from loopline_retrieval.adapters.words import match_expression
from loopline_retrieval.filters import Filter, Value
from loopline_retrieval.model import Batch, Chunk, Hit, Passage, Place, Row, Space, Vector
from loopline_retrieval.versions import Held, sha256_of
from loopline_runtime.errors import Unavailable

BUSY_S = 10.0
CHECKPOINT_TRIES, CHECKPOINT_AGAIN_S = 100, 0.05
CACHE_KIB = 65_536

_SCHEMA = """
create table if not exists revision (
    document text not null, revision integer not null, shown integer not null default 0,
    source text not null, title text not null, metadata text not null, readers text,
    primary key (document, revision)
) without rowid;
create table if not exists chunk (
    id integer primary key, chunk_id text not null, document text not null, revision integer not null,
    ordinal integer not null, text text not null, place text not null, vector blob not null,
    unique (document, revision, ordinal)
);
create virtual table if not exists word using fts5(text, content='', contentless_delete=1, tokenize='porter unicode61');
create virtual table if not exists near using vec0(id integer primary key, vector float[{dimension}] distance_metric=cosine);
"""


class SqliteSpace:
    """Blocking; one writer at a time, any number of readers, a connection per thread."""

    def __init__(self, space: Space, path: Path, dimension: int = 0) -> None:
        self._space = space
        self._path = path
        self._writing = threading.Lock()
        self._local = threading.local()
        self._opened: list[Any] = []
        if dimension:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._transaction() as db:
                for statement in _SCHEMA.format(dimension=int(dimension)).split(";\n"):
                    db.execute(statement)

    def made(self) -> bool:
        """Whether its tables are there."""
        return bool(self._read("select 1 from sqlite_master where name = 'near'", []))

    def close(self) -> None:
        """Closes all connections."""
        for connection in self._opened:
            connection.close()
        self._opened.clear()

    def put(self, batch: Batch, chunks: Sequence[Chunk], readers: frozenset[str]) -> None:
        """Writes chunks of a revision; a repeat is an upsert."""
        with self._transaction() as db:
            db.execute(
                "insert into revision (document, revision, source, title, metadata, readers) values (?, ?, ?, ?, ?, ?)"
                " on conflict do nothing",
                (
                    batch.document,
                    batch.revision,
                    batch.source,
                    batch.title,
                    json.dumps(dict(batch.metadata)),
                    _readers(readers),
                ),
            )
            db.executemany(
                "insert into chunk (chunk_id, document, revision, ordinal, text, place, vector) values (?, ?, ?, ?, ?, ?, ?)"
                " on conflict do nothing",
                [
                    (c.chunk_id, batch.document, batch.revision, c.ordinal, c.text, _place(c.place), c.vector)
                    for c in chunks
                ],
            )

    def show(self, document: str, revision: int) -> None:
        """This revision answers, older ones are gone."""
        with self._transaction() as db:
            newer = "select 1 from revision where document = ? and shown and revision >= ?"
            if db.execute(newer, (document, revision)).fetchone():
                self._delete(db, "document = ? and revision < ?", (document, revision))
                return
            self._delete(db, "document = ? and revision < ?", (document, revision))
            db.execute("update revision set shown = 1 where document = ? and revision = ?", (document, revision))
            rows = "from chunk join revision using (document, revision) where document = ? and revision = ?"
            db.execute(f"insert into word (rowid, text) select id, title || ' ' || text {rows}", (document, revision))
            db.execute(f"insert into near (id, vector) select id, vector {rows}", (document, revision))

    def remove(self, document: str, up_to: int) -> None:
        """All revisions up to one."""
        with self._transaction() as db:
            self._delete(db, "document = ? and revision <= ?", (document, up_to))

    def drop(self, document: str, revision: int) -> None:
        """One revision, unless it is shown."""
        with self._transaction() as db:
            self._delete(db, "document = ? and revision = ? and not shown", (document, revision))

    def highest(self) -> int:
        """The highest revision; 0 when there is none."""
        return int(self._read("select coalesce(max(revision), 0) from revision", [])[0][0])

    def left(self, document: str, up_to: int) -> int:
        """How many chunks of revisions up to one."""
        query = "select count(*) from chunk where document = ? and revision <= ?"
        return int(self._read(query, [document, up_to])[0][0])

    def erase(self, document: str, up_to: int) -> None:
        """All revisions up to one, overwritten on disk: rows by secure_delete, words by writing their index anew, then the log is emptied."""
        with self._transaction() as db:
            self._delete(db, "document = ? and revision <= ?", (document, up_to))
            # What earlier deletions left as tombstones goes too.
            db.execute("insert into word (word) values ('optimize')")
        with self._writing, _translated(self._path):
            for _ in range(CHECKPOINT_TRIES):
                if not self._connection().execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
                    return
                time.sleep(CHECKPOINT_AGAIN_S)
        raise Unavailable(f"the index {self._path.name} is being read without a pause; its log is emptied later")

    def set_readers(self, document: str, readers: frozenset[str], before: int) -> None:
        """Of the revisions before a sequence."""
        with self._transaction() as db:
            db.execute(
                "update revision set readers = ? where document = ? and revision < ?",
                (_readers(readers), document, before),
            )

    def nearest(self, vector: Vector, limit: int, where: Filter | None, principals: frozenset[str]) -> list[Hit]:
        """By cosine; an exact scan over what passes the filter."""
        allowed, parameters = self._allowed(where, principals)
        rows = self._read(
            f"select id, 1 - distance from near where vector match ? and k = ? {allowed('id')} order by distance",
            [vector, limit, *parameters],
        )
        return [Hit(row, score) for row, score in rows]

    def keyword(self, question: str, limit: int, where: Filter | None, principals: frozenset[str]) -> list[Hit]:
        """By BM25 of any of the question's words."""
        match = match_expression(question)
        if not match:
            return []
        allowed, parameters = self._allowed(where, principals)
        rows = self._read(
            f"select rowid, -rank from word where word match ? {allowed('rowid')} order by rank, rowid limit ?",
            [match, *parameters, limit],
        )
        return [Hit(row, score) for row, score in rows]

    def cosines(self, vector: Vector, rows: Iterable[Row]) -> dict[Row, float]:
        """Of rows that answer."""
        ids = json.dumps(list(rows))
        found = self._read(
            "select id, 1 - vec_distance_cosine(vector, ?) from chunk join revision using (document, revision)"
            " where shown and id in (select value from json_each(?))",
            [vector, ids],
        )
        return dict(found)

    def passages(self, rows: Sequence[Row]) -> dict[Row, Passage]:
        """Rows that answer, as passages."""
        found = self._read(
            "select id, chunk_id, document, source, title, revision, text, place, metadata"
            " from chunk join revision using (document, revision)"
            " where shown and id in (select value from json_each(?))",
            [json.dumps(list(rows))],
        )
        collection = self._space.collection
        return {
            row: Passage(
                chunk, document, collection, source, title, revision, text, _placed(place), json.loads(metadata)
            )
            for row, chunk, document, source, title, revision, text, place, metadata in found
        }

    def sample(self, count: int, seed: int, principals: frozenset[str]) -> list[Passage]:
        """Drawn at random from what answers and may be read."""
        allowed, parameters = self._allowed(None, principals)
        rows = self._read(
            f"select id from chunk join revision using (document, revision) where shown {allowed('id')} order by id",
            parameters,
        )
        chance = random.Random(seed)  # noqa: S311 - a draw that can be repeated, not a secret
        drawn = chance.sample([row for (row,) in rows], min(count, len(rows)))
        found = self.passages(drawn)
        return [found[row] for row in drawn if row in found]

    def held(self) -> list[Held]:
        """Every revision with its chunks; one that answers has them in both indexes too."""
        rows = self._read(
            "select document, revision, source, shown, chunk_id, not shown or"
            " (exists (select 1 from near where near.id = chunk.id) and exists (select 1 from word where rowid = chunk.id))"
            " from revision left join chunk using (document, revision) order by document, revision, chunk_id",
            [],
        )
        found = []
        for (document, revision, source, shown), group in itertools.groupby(rows, key=lambda row: row[:4]):
            ids = [chunk for *_, chunk, there in group if chunk is not None and there]
            found.append(Held(document, source, revision, len(ids), sha256_of(ids), bool(shown)))
        return found

    def _allowed(self, where: Filter | None, principals: frozenset[str]) -> tuple[Any, list[Value]]:
        """What the filter and the readers leave; nothing to check when there is neither, which is the fast way."""
        restricted = self._read("select exists (select 1 from revision where shown and readers is not null)", [])[0][0]
        if where is None and not restricted:
            return (lambda _: ""), []
        condition, parameters = compiled(where) if where is not None else _everything()
        readers = (
            "(readers is null or exists (select 1 from json_each(readers) r join json_each(?) p on p.value = r.value))"
        )
        inner = (
            f"select id from chunk join revision using (document, revision) where shown and {condition} and {readers}"
        )
        return (lambda column: f"and {column} in ({inner})"), [*parameters, json.dumps(sorted(principals))]

    def _delete(self, db: Any, which: str, parameters: tuple[Any, ...]) -> None:
        revisions = f"select document, revision from revision where {which}"
        rows = [
            row
            for (row,) in db.execute(f"select id from chunk where (document, revision) in ({revisions})", parameters)
        ]
        db.executemany("delete from word where rowid = ?", [(row,) for row in rows])
        db.executemany("delete from near where id = ?", [(row,) for row in rows])
        db.executemany("delete from chunk where id = ?", [(row,) for row in rows])
        db.execute(f"delete from revision where {which}", parameters)

    def _connection(self) -> Any:
        if not hasattr(self._local, "db"):
            db = sqlite.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            db.enable_load_extension(True)
            sqlite_vec.load(db)
            db.enable_load_extension(False)
            db.create_function("is_number", 1, _is_number, deterministic=True)
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = full")
            db.execute("pragma secure_delete = on")
            db.execute(f"pragma cache_size = -{CACHE_KIB}")
            self._local.db = db
            self._opened.append(db)
        return self._local.db

    def _read(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        with _translated(self._path):
            rows: list[Any] = self._connection().execute(statement, parameters).fetchall()
            return rows

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._writing, _translated(self._path), self._connection() as db:  # commits, or rolls back what failed
            db.execute("begin immediate")
            yield db


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite.Error as error:
        raise Unavailable(f"the index {path.name} does not answer: {error}", reason="INDEX_UNAVAILABLE") from error


def _everything() -> Sql:
    return "1", []


def _readers(readers: frozenset[str]) -> str | None:
    return json.dumps(sorted(readers)) if readers else None


def _place(place: Place) -> str:
    return json.dumps([place.page, place.sheet, list(place.headings), place.start, place.end])


def _placed(text: str) -> Place:
    page, sheet, headings, start, end = json.loads(text)
    return Place(page, sheet, tuple(headings), start, end)


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True
