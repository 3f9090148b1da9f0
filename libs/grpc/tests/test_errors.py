"""An error raised in a servicer is the same error at the caller."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest
from loopline.generation.v1.generation_service_pb2 import AnswerRequest, AnswerResponse, Token
from loopline.ingestion.v1.ingestion_service_pb2 import SubmitDocumentRequest
from loopline_grpc.client import calling, connect
from loopline_grpc.errors import status_of
from loopline_runtime import errors

ALL = [
    (errors.Rejected, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.Invalid, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.Conflict, grpc.StatusCode.ALREADY_EXISTS),
    (errors.Aborted, grpc.StatusCode.ABORTED),
    (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (errors.Forbidden, grpc.StatusCode.PERMISSION_DENIED),
    (errors.Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.TimedOut, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
]


def raising(error: BaseException) -> Any:
    async def raises(_: Any) -> Any:
        raise error

    return raises


async def heard(generation: Any, steps: list[Any] | None = None) -> None:
    async with calling("generation"):
        async for step in generation.Answer(AnswerRequest()):
            (steps if steps is not None else []).append(step)


def rpc(channel: Any, path: str, body: bytes, **options: Any) -> Any:
    return channel.unary_unary(path)(body, **options)


def details(error: grpc.aio.AioRpcError, kind: Any) -> Any:
    metadata = dict(tuple(error.trailing_metadata()))
    for detail in Status.FromString(metadata["grpc-status-details-bin"]).details:
        if detail.Is(kind.DESCRIPTOR):
            found = kind()
            detail.Unpack(found)
            return found
    return None


@pytest.mark.parametrize(("kind", "code"), ALL)
async def test_every_error_comes_back_as_itself(house: Any, generation: Any, kind: Any, code: Any) -> None:
    # Of a stream, for a call that may not be repeated.
    async def answer(_: Any) -> Any:
        for _ in range(1):
            raise kind("no, because ü", reason="A_REASON", field="text", retry_after_s=1.5)
        yield

    house.answer = answer
    with pytest.raises(errors.LooplineError) as caught:
        await heard(generation)
    assert type(caught.value) is kind
    assert str(caught.value) == "no, because ü"
    assert (caught.value.reason, caught.value.field, caught.value.retry_after_s) == ("A_REASON", "text", 1.5)
    assert isinstance(caught.value.__cause__, grpc.aio.AioRpcError)
    assert caught.value.__cause__.code() is code


def test_every_error_of_the_tree_has_its_line_in_the_map() -> None:
    told = {kind for kind, _ in ALL}

    def tree(kind: type[Any]) -> set[type[Any]]:
        children: list[type[Any]] = kind.__subclasses__()
        return {kind}.union(*(tree(child) for child in children))

    assert tree(errors.Rejected) | tree(errors.Unavailable) == told


async def test_an_invalid_field_is_a_bad_request_and_a_wait_is_retry_info(house: Any, embedding: Any) -> None:
    house.embed_query = raising(errors.Invalid("the text is blank", field="text", reason="BLANK"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await embedding.EmbedQuery(EmbedQueryRequest())
    assert details(caught.value, BadRequest).field_violations[0].field == "text"
    house.embed_query = raising(errors.Overloaded("full", retry_after_s=0.25))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await embedding.EmbedQuery(EmbedQueryRequest())
    assert details(caught.value, RetryInfo).retry_delay.ToMilliseconds() == 250


async def test_a_bug_is_told_by_an_id_only_and_logged_whole(
    house: Any, embedding: Any, caplog: Any, capsys: Any
) -> None:
    house.embed_query = raising(ValueError("secret inner words"))
    with pytest.raises(errors.Broken) as caught:
        async with calling("embedding"):
            await embedding.EmbedQuery(EmbedQueryRequest())
    assert caught.value.reason == "INTERNAL"
    assert "secret" not in str(caught.value)
    logged = capsys.readouterr().out
    assert "secret inner words" in logged
    assert str(caught.value).split()[-1] in logged


async def test_an_error_after_the_first_message_ends_the_stream_with_it(house: Any, generation: Any) -> None:
    async def answer(_: Any) -> Any:
        yield AnswerResponse(token=Token(text="one"))
        raise errors.NotFound("gone meanwhile", reason="DOCUMENT_GONE")

    house.answer = answer
    steps: list[Any] = []
    with pytest.raises(errors.NotFound, match="gone meanwhile"):
        await heard(generation, steps)
    assert [step.token.text for step in steps] == ["one"]


async def test_an_upload_can_be_refused_before_it_ends(house: Any, ingestion: Any) -> None:
    async def submit(parts: Any) -> Any:
        async for _ in parts:
            raise errors.Rejected("too large: 7 of at most 5 bytes", reason="TOO_LARGE")

    async def parts() -> Any:
        while True:
            yield SubmitDocumentRequest(data=b"1234567")
            await asyncio.sleep(0.001)

    house.submit = submit
    with pytest.raises(errors.Rejected, match="too large"):
        async with calling("ingestion"):
            await ingestion.SubmitDocument(parts())


async def test_bytes_that_are_no_message_are_the_callers_fault(house: Any) -> None:
    async with connect(house.target) as channel:
        for path in (
            "loopline.embedding.v1.EmbeddingService/EmbedQuery",
            "loopline.generation.v1.GenerationService/Answer",
        ):
            with pytest.raises(errors.Invalid) as caught:
                async with calling("house"):
                    await rpc(channel, f"/{path}", b"\xff\xff\xff\xff")
            assert caught.value.reason == "MESSAGE_MALFORMED"


async def test_a_method_that_is_not_there_is_a_bug_of_somebody(house: Any) -> None:
    async with connect(house.target) as channel:
        with pytest.raises(errors.Broken) as caught:
            async with calling("house"):
                await rpc(channel, "/loopline.embedding.v1.EmbeddingService/Nothing", b"")
    assert caught.value.reason == "UNIMPLEMENTED"


async def test_nobody_there_is_unreachable() -> None:
    async with connect("127.0.0.1:1") as channel:
        with pytest.raises(errors.Unavailable) as caught:
            async with calling("embedding"):
                await rpc(channel, "/x.Y/Z", b"", timeout=5)
    assert caught.value.reason == "UNREACHABLE"
    assert str(caught.value).startswith("embedding does not answer")


async def test_a_very_long_message_is_cut_and_still_arrives(house: Any, embedding: Any) -> None:
    house.embed_query = raising(errors.Rejected("語" * 50_000, field="f" * 10_000))
    with pytest.raises(errors.Rejected) as caught:
        async with calling("embedding"):
            await embedding.EmbedQuery(EmbedQueryRequest())
    assert str(caught.value).startswith("語語語")
    assert str(caught.value).endswith("...")


def test_a_bare_loopline_error_is_a_bug() -> None:
    _, code, reason = status_of(errors.Broken("the other side", reason="SAID_SO"))
    assert (code, reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
