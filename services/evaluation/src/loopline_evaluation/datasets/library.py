"""What can be done with datasets: import, look, compare, derive, generate, and learn from answers people did not like."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loopline_evaluation.datasets.choosing import chosen
from loopline_evaluation.datasets.cloze import cloze
from loopline_evaluation.datasets.ports import Corpus, Expectations, Store, Writer
from loopline_evaluation.datasets.reading import Problem, read
from loopline_evaluation.datasets.rows import NAME, Origin, Reference, Row, Version, checked, derived_id
from loopline_evaluation.datasets.splitting import split
from loopline_evaluation.model import Kept
from loopline_runtime.errors import Invalid, NotFound

MOST_GENERATED = 1_000
_PASSAGES_PER_ROW = 2


@dataclass(frozen=True, slots=True)
class Imported:
    """`version` None: nothing was imported. `new` False: this content was there already."""

    version: Version | None
    new: bool
    problems: tuple[Problem, ...]


class Library:
    """The datasets of all tenants."""

    def __init__(self, store: Store, expectations: Expectations, corpus: Corpus, writer: Writer) -> None:
        self._store = store
        self._expectations = expectations
        self._corpus = corpus
        self._writer = writer

    async def bring(
        self, tenant: str, name: str, data: bytes, form: str, *, file: str = "", strict: bool, suite: str, append: bool
    ) -> Imported:
        """Imports a file. Invalid (EXPECTATION) when Great Expectations finds what must not be."""
        _check_name(name)
        reading = await asyncio.to_thread(read, data, form, file)
        if reading.problems and strict:
            return Imported(None, False, reading.problems)
        rows = reading.rows
        if not rows:
            first = f"; line {reading.problems[0].line}: {reading.problems[0].message}" if reading.problems else ""
            raise Invalid(f"the file has no row{first}", reason="EMPTY_DATASET", field="data")
        if append:
            rows = tuple(await self._appended(tenant, name, rows))
        failures = await self._expectations.failures(checked(rows), suite)
        if failures:
            raise Invalid("the rows are not as expected: " + "; ".join(failures)[:1500], reason="EXPECTATION")
        version, new = await self._store.add(tenant, name, rows, f"imported from {file or form}", time.time())
        return Imported(version, new, reading.problems)

    async def versions(self, tenant: str, name: str = "") -> list[Version]:
        """See the port."""
        return await self._store.versions(tenant, name)

    async def version(self, tenant: str, dataset: str) -> Version:
        """`name`, `name@number` or `name@hash`. NotFound when there is none."""
        name, _, wanted = dataset.partition("@")
        for version in await self._store.versions(tenant, name) if name else ():
            if not wanted or wanted == str(version.number) or (len(wanted) >= 6 and version.hash.startswith(wanted)):
                return version
        raise NotFound(f"there is no dataset {dataset[:100]!r}", reason="UNKNOWN_DATASET", field="dataset")

    async def rows(self, tenant: str, dataset: str, where: Sequence[str] = ()) -> tuple[Version, list[Row]]:
        """A version with the rows that match."""
        version = await self.version(tenant, dataset)
        return version, chosen(await self._store.rows(tenant, version.name, version.hash), where)

    async def derive(
        self, tenant: str, dataset: str, where: Sequence[str], parts: Mapping[str, float], seed: int
    ) -> list[Version]:
        """Datasets of what matches: whole, or in parts that share no near-duplicates."""
        for name in parts:
            _check_name(name)
        version, rows = await self.rows(tenant, dataset, where)
        checked(rows)
        made = {next(iter(parts)): rows} if len(parts) == 1 else await asyncio.to_thread(split, rows, parts, seed)
        note = f"from {version.name}@{version.number}" + (f" where {' and '.join(where)}" if where else "")
        told = note + (f", split with seed {seed}" if len(parts) > 1 else "")
        return [(await self._store.add(tenant, name, part, told, time.time()))[0] for name, part in made.items()]

    async def generate(
        self, tenant: str, name: str, collection: str, count: int, method: str, seed: int
    ) -> tuple[Version, int, str]:
        """Adds at most `count` synthetic rows; returns how many were made, and by what."""
        _check_name(name)
        if not 1 <= count <= MOST_GENERATED:
            raise Invalid(f"count is 1 to {MOST_GENERATED}", field="count")
        if method not in ("", "model", "cloze"):
            raise Invalid("a method is model or cloze", field="method")
        if method == "model" and not self._writer.name:
            raise Invalid("no model is configured to write questions: set WRITER__URL, or use cloze", field="method")
        passages = await self._corpus.passages(tenant, collection, count * _PASSAGES_PER_ROW)
        by = self._writer.name if method != "cloze" and self._writer.name else "cloze"
        made = cloze(passages, count) if by == "cloze" else await self._written(passages, count, seed)
        if not made:
            raise Invalid(
                f"no question could be made from the {len(passages)} passages of {collection!r}", reason="EMPTY_DATASET"
            )
        rows = await self._appended(tenant, name, made)
        version, _ = await self._store.add(
            tenant, name, rows, f"{len(made)} generated from {collection} by {by}", time.time()
        )
        return version, len(made), by

    async def learn(
        self, tenant: str, name: str, answers: Sequence[Kept], tags: Sequence[str]
    ) -> tuple[Version | None, int, int]:
        """Adds the questions of answers; returns how many were added and how many skipped."""
        _check_name(name)
        present = {row.id for row in await self._present(tenant, name)}
        rows = {row.id: row for kept in answers if (row := _learnt(kept, tags)) and row.id not in present}
        if not rows:
            return None, 0, len(answers)
        added = await self._appended(tenant, name, list(rows.values()))
        version, _ = await self._store.add(tenant, name, added, f"{len(rows)} added from answers", time.time())
        return version, len(rows), len(answers) - len(rows)

    async def _written(self, passages: Sequence[Reference], count: int, seed: int) -> list[Row]:
        rows: dict[str, Row] = {}
        for passage in passages:
            if len(rows) == count:
                break
            if asked := await self._writer.question(passage.text, seed):
                question, answer = asked
                key, origin = derived_id(question, [passage]), Origin("generated", self._writer.name, synthetic=True)
                rows[key] = Row(key, question, (answer,), (passage,), (), True, ("generated",), {}, origin)
        return list(rows.values())

    async def _present(self, tenant: str, name: str) -> list[Row]:
        versions = await self._store.versions(tenant, name)
        return await self._store.rows(tenant, name, versions[0].hash) if versions else []

    async def _appended(self, tenant: str, name: str, rows: Sequence[Row]) -> list[Row]:
        """The newest rows with these; of one id the new one stays."""
        return list({row.id: row for row in (*await self._present(tenant, name), *rows)}.values())


def _learnt(kept: Kept, tags: Sequence[str]) -> Row | None:
    """The question of an answer; what people say it should have been is the reference. None without text."""
    answer = kept.answer
    if not answer.readable:
        return None
    corrections = [given.feedback.correction for given in kept.feedback if given.feedback.correction.strip()]
    cited = tuple(
        Reference(one.document, one.source, one.chunk_id, one.text) for one in answer.passages[:3] if one.text
    )
    categories = [category for given in kept.feedback for category in given.feedback.categories]
    return Row(
        f"answer-{answer.answer_id}",
        answer.question,
        tuple(dict.fromkeys(corrections)),
        # Without a correction nobody says that these passages answer the question.
        cited if corrections else (),
        tags=tuple(dict.fromkeys([*tags, *categories])),
        origin=Origin("answer", answer.answer_id),
    )


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME, name):
        raise Invalid(f"a dataset's name matches {NAME}, which {name[:80]!r} does not", field="name")
