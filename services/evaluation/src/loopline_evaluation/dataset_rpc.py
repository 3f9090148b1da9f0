"""Datasets in and out."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC
from typing import Any

import grpc

from loopline.evaluation.v1 import dataset_service_pb2 as messages
from loopline.evaluation.v1.dataset_service_pb2_grpc import DatasetServiceServicer
from loopline_evaluation import run_plain
from loopline_evaluation.app.listing import condition
from loopline_evaluation.datasets.differing import diff
from loopline_evaluation.datasets.library import Library
from loopline_evaluation.datasets.writing import written
from loopline_evaluation.model import Thumb, Wanted
from loopline_evaluation.ports import Answers
from loopline_grpc.access import caller
from loopline_runtime.errors import Invalid

Context = grpc.aio.ServicerContext[Any, Any]
MOST_BYTES = 256 * 1024 * 1024
PART_BYTES = 256 * 1024
MOST_SHOWN, MOST_LEARNT, MOST_DIFFERENT = 500, 1_000, 1_000


class DatasetRpc(DatasetServiceServicer):
    """The door for callers."""

    def __init__(self, library: Library, answers: Answers) -> None:
        self._library = library
        self._answers = answers

    async def ImportDataset(
        self, request_iterator: AsyncIterator[messages.ImportDatasetRequest], context: Context
    ) -> messages.ImportDatasetResponse:
        header, data = messages.ImportHeader(), bytearray()
        async for part in request_iterator:
            if part.WhichOneof("part") == "header":
                header = part.header
            data += part.data
            if len(data) > MOST_BYTES:
                raise Invalid(f"a file has at most {MOST_BYTES} bytes", reason="TOO_LARGE", field="data")
        done = await self._library.bring(
            caller().tenant,
            header.name,
            bytes(data),
            header.format,
            file=header.file_name,
            strict=header.strict,
            suite=header.expectations_json,
            append=header.append,
        )
        return messages.ImportDatasetResponse(
            version=run_plain.version(done.version) if done.version else None,
            unchanged=bool(done.version) and not done.new,
            problems=run_plain.problems(done.problems),
        )

    async def ListDatasets(
        self, request: messages.ListDatasetsRequest, context: Context
    ) -> messages.ListDatasetsResponse:
        found = await self._library.versions(caller().tenant, request.name)
        return messages.ListDatasetsResponse(versions=[run_plain.version(one) for one in found])

    async def GetDataset(self, request: messages.GetDatasetRequest, context: Context) -> messages.GetDatasetResponse:
        version, rows = await self._library.rows(caller().tenant, request.dataset, request.where)
        size = min(request.page_size or 50, MOST_SHOWN)
        start = int(request.page_token) if request.page_token.isdecimal() else 0
        more = str(start + size) if start + size < len(rows) else ""
        return messages.GetDatasetResponse(
            version=run_plain.version(version),
            rows=[run_plain.row(one) for one in rows[start : start + size]],
            next_page_token=more,
            matching=len(rows),
        )

    async def ReadDataset(
        self, request: messages.ReadDatasetRequest, context: Context
    ) -> AsyncIterator[messages.ReadDatasetResponse]:
        _, rows = await self._library.rows(caller().tenant, request.dataset, request.where)
        for part in written(rows, request.format or "jsonl"):
            for start in range(0, len(part), PART_BYTES):
                yield messages.ReadDatasetResponse(data=part[start : start + PART_BYTES])

    async def DiffDatasets(
        self, request: messages.DiffDatasetsRequest, context: Context
    ) -> messages.DiffDatasetsResponse:
        before, old = await self._library.rows(caller().tenant, request.before)
        after, new = await self._library.rows(caller().tenant, request.after)
        found = diff(old, new)
        return messages.DiffDatasetsResponse(
            before=run_plain.version(before),
            after=run_plain.version(after),
            added=[run_plain.row(one) for one in found.added[:MOST_DIFFERENT]],
            removed=[run_plain.row(one) for one in found.removed[:MOST_DIFFERENT]],
            changed=[
                messages.ChangedRow(before=run_plain.row(one.before), after=run_plain.row(one.after), fields=one.fields)
                for one in found.changed[:MOST_DIFFERENT]
            ],
            same=found.same,
        )

    async def DeriveDatasets(
        self, request: messages.DeriveDatasetsRequest, context: Context
    ) -> messages.DeriveDatasetsResponse:
        if not request.parts or len({part.name for part in request.parts}) != len(request.parts):
            raise Invalid("name at least one part, each once", field="parts")
        shares = {part.name: part.share or 1.0 for part in request.parts}
        made = await self._library.derive(caller().tenant, request.dataset, request.where, shares, request.seed)
        return messages.DeriveDatasetsResponse(versions=[run_plain.version(one) for one in made])

    async def GenerateDataset(
        self, request: messages.GenerateDatasetRequest, context: Context
    ) -> messages.GenerateDatasetResponse:
        version, made, by = await self._library.generate(
            caller().tenant, request.name, request.collection or "default", request.count, request.method, request.seed
        )
        return messages.GenerateDatasetResponse(version=run_plain.version(version), made=made, by=by)

    async def AddFromAnswers(
        self, request: messages.AddFromAnswersRequest, context: Context
    ) -> messages.AddFromAnswersResponse:
        tenant, most = caller().tenant, request.most or 100
        if most > MOST_LEARNT or len(request.answer_ids) > MOST_LEARNT:
            raise Invalid(f"at most {MOST_LEARNT} answers", field="most")
        if request.thumb and request.thumb.lower() not in list(Thumb):
            raise Invalid("thumb is UP or DOWN", field="thumb")
        if request.answer_ids:
            found = await self._answers.get(tenant, list(request.answer_ids))
        else:
            wanted = Wanted(
                tenant,
                conditions=tuple(condition(text) for text in request.conditions),
                thumb=Thumb(request.thumb.lower()) if request.thumb else None,
                most=most,
            )
            since = request.since.ToDatetime(UTC).timestamp() if request.HasField("since") else None
            found = await self._answers.listed(replace(wanted, since=since))
        version, added, skipped = await self._library.learn(tenant, request.name, found, request.tags)
        return messages.AddFromAnswersResponse(
            version=run_plain.version(version) if version else None, added=added, skipped=skipped
        )
