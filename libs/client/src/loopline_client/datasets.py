"""Datasets: `Loopline.datasets`."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import grpc

from loopline.evaluation.v1 import dataset_service_pb2 as messages
from loopline.evaluation.v1.dataset_service_pb2_grpc import DatasetServiceStub
from loopline_client.dataset_results import (
    AddedFromAnswers,
    DatasetDiff,
    DatasetRow,
    DatasetShown,
    DatasetVersion,
    Generated,
    Imported,
)
from loopline_client.typed import typed
from loopline_grpc.client import calling

if TYPE_CHECKING:
    from loopline.evaluation.v1.dataset_service_pb2_grpc import DatasetServiceAsyncStub

PART_BYTES = 256 * 1024
PAGE = 500
# Great Expectations is loaded for each import, which takes its time.
WITHIN_S = 300.0


class Datasets:
    """What the evaluation service is asked about datasets. `dataset`: name, name@number or name@hash."""

    def __init__(self, channel: Callable[[str], grpc.aio.Channel]) -> None:
        self._channel = channel

    async def bring(
        self,
        name: str,
        data: bytes,
        form: str,
        *,
        file_name: str = "",
        strict: bool = False,
        append: bool = False,
        expectations_json: str = "",
    ) -> Imported:
        """Imports a file. `form`: csv, jsonl, parquet, squad, mmlu or hellaswag."""
        header = messages.ImportHeader(
            name=name,
            format=form,
            file_name=file_name,
            strict=strict,
            append=append,
            expectations_json=expectations_json,
        )

        async def parts() -> AsyncIterator[messages.ImportDatasetRequest]:
            yield messages.ImportDatasetRequest(header=header)
            for start in range(0, len(data), PART_BYTES):
                yield messages.ImportDatasetRequest(data=data[start : start + PART_BYTES])

        async with calling("evaluation"):
            return typed(Imported, await self._stub.ImportDataset(parts(), timeout=WITHIN_S))

    async def listed(self, name: str = "") -> list[DatasetVersion]:
        """The newest version of each, or all of one."""
        async with calling("evaluation"):
            found = await self._stub.ListDatasets(messages.ListDatasetsRequest(name=name))
        return [typed(DatasetVersion, one) for one in found.versions]

    async def rows(self, dataset: str, where: Sequence[str] = ()) -> AsyncIterator[DatasetRow]:
        """The rows that match."""
        token = ""
        while True:
            request = messages.GetDatasetRequest(dataset=dataset, where=where, page_size=PAGE, page_token=token)
            async with calling("evaluation"):
                page = await self._stub.GetDataset(request)
            for row in page.rows:
                yield typed(DatasetRow, row)
            token = page.next_page_token
            if not token:
                return

    async def shown(self, dataset: str, where: Sequence[str] = (), most: int = 20) -> DatasetShown:
        """A version with its first rows."""
        async with calling("evaluation"):
            request = messages.GetDatasetRequest(dataset=dataset, where=where, page_size=most)
            return typed(DatasetShown, await self._stub.GetDataset(request))

    async def read(self, dataset: str, form: str, where: Sequence[str] = ()) -> bytes:
        """All rows that match as csv, jsonl or parquet."""
        request = messages.ReadDatasetRequest(dataset=dataset, format=form, where=where)
        async with calling("evaluation"):
            return b"".join([part.data async for part in self._stub.ReadDataset(request)])

    async def diff(self, before: str, after: str) -> DatasetDiff:
        """What two versions do not have in common."""
        async with calling("evaluation"):
            request = messages.DiffDatasetsRequest(before=before, after=after)
            return typed(DatasetDiff, await self._stub.DiffDatasets(request))

    async def derive(
        self, dataset: str, parts: Mapping[str, float], *, where: Sequence[str] = (), seed: int = 0
    ) -> list[DatasetVersion]:
        """Datasets of the rows that match: one of all, or parts by their shares that have no near-duplicates in common."""
        wanted = [messages.DatasetPart(name=name, share=share) for name, share in parts.items()]
        request = messages.DeriveDatasetsRequest(dataset=dataset, where=where, parts=wanted, seed=seed)
        async with calling("evaluation"):
            made = await self._stub.DeriveDatasets(request, timeout=WITHIN_S)
        return [typed(DatasetVersion, one) for one in made.versions]

    async def generate(self, name: str, collection: str, count: int, *, method: str = "", seed: int = 0) -> Generated:
        """Adds synthetic questions made from a collection's documents."""
        request = messages.GenerateDatasetRequest(
            name=name, collection=collection, count=count, method=method, seed=seed
        )
        async with calling("evaluation"):
            return typed(Generated, await self._stub.GenerateDataset(request, timeout=WITHIN_S))

    async def add_from_answers(
        self,
        name: str,
        *,
        answer_ids: Sequence[str] = (),
        conditions: Sequence[str] = (),
        thumb: str = "",
        since: datetime | None = None,
        most: int = 0,
        tags: Sequence[str] = (),
    ) -> AddedFromAnswers:
        """Adds questions that people asked."""
        request = messages.AddFromAnswersRequest(
            name=name, answer_ids=answer_ids, conditions=conditions, thumb=thumb.upper(), most=most, tags=tags
        )
        if since:
            request.since.FromDatetime(since)
        async with calling("evaluation"):
            return typed(AddedFromAnswers, await self._stub.AddFromAnswers(request))

    @property
    def _stub(self) -> "DatasetServiceAsyncStub":
        return DatasetServiceStub(self._channel("evaluation"))
