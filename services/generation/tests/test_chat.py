"""The model server's words, costs and failures, told in ours; wherever its errors stand."""

from collections.abc import AsyncIterator

import pytest

from loopline_generation.adapters.chat_openai import OpenAiChat
from loopline_generation.model import Message, Sampling, Usage
from loopline_generation.ports import ModelInfo
from loopline_runtime.errors import Invalid, LooplineError, Overloaded, TimedOut, Unavailable
from loopline_testing.model_server import ScriptedServer, scripted_server, usage, word
from loopline_testing.nats import free_port

DONE = b"[DONE]"
MESSAGES = [Message("user", "Why?")]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


async def said(url: str, **options: float) -> tuple[str, Usage | None]:
    text, cost = "", None
    async for delta in OpenAiChat(url, **options).stream(
        MESSAGES, "m", Sampling(max_tokens=9, temperature=0.0, seed=3)
    ):
        text += delta.text
        cost = delta.usage or cost
    return text, cost


async def test_words_come_as_they_are_said_with_their_cost(server: ScriptedServer):
    server.scripts.append((200, [word("Because "), word("so."), usage(12, 2), DONE]))
    assert await said(server.url) == ("Because so.", Usage(12, 2))
    (request,) = server.requests
    wanted = {"stream": True, "max_tokens": 9, "temperature": 0.0, "seed": 3, "model": "m"}
    assert {name: request[name] for name in wanted} == wanted


TGI_FULL = {"error": {"message": "Model is overloaded", "http_status_code": 422}}
TGI_WRONG = {
    "error": {
        "message": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 512",
        "http_status_code": 422,
    }
}


@pytest.mark.parametrize(
    ("status", "payloads", "kind"),
    [
        (200, [TGI_FULL, DONE], Overloaded),
        (200, [TGI_WRONG, DONE], Invalid),
        (200, [{"error": "Request failed during generation", "error_type": "generation"}], Unavailable),
        (200, [{"error": "Model is overloaded", "error_type": "overloaded"}], Overloaded),
        (200, [{"error": {"message": "CUDA error", "http_status_code": 500}}], Unavailable),
        (429, [{"error": "Model is overloaded", "error_type": "overloaded"}], Overloaded),
        (422, [{"error": "Input validation error", "error_type": "validation"}], Invalid),
        (400, [{"error": {"code": 400, "message": "request exceeds the available context size"}}], Invalid),
        (503, [{"error": {"code": 503, "message": "Loading model"}}], Unavailable),
        (200, [b"{not json"], Unavailable),
    ],
)
async def test_failures_keep_their_meaning(
    server: ScriptedServer, status: int, payloads: list[object], kind: type[LooplineError]
):
    server.scripts += [(status, payloads)] * 3
    with pytest.raises(kind):
        await said(server.url)


async def test_an_error_in_mid_stream_keeps_what_was_said_and_is_not_tried_again(server: ScriptedServer):
    server.scripts.append((200, [word("Because "), {"error": {"message": "gone", "http_status_code": 500}}]))
    stream = OpenAiChat(server.url).stream(MESSAGES, "", Sampling())
    assert (await anext(stream)).served
    assert (await anext(stream)).text == "Because "
    with pytest.raises(Unavailable):
        await anext(stream)
    assert len(server.requests) == 1


async def test_a_server_that_fails_before_the_first_word_is_tried_again(server: ScriptedServer):
    server.scripts += [(503, [{}]), (200, [word("Now."), DONE])]
    assert (await said(server.url))[0] == "Now."


async def test_a_server_that_is_not_there_or_silent_is_told():
    with pytest.raises(Unavailable):
        await said(f"http://127.0.0.1:{free_port()}")
    async with scripted_server() as server:
        server.pause_s = 2
        server.scripts.append((200, [word("late")]))
        with pytest.raises(TimedOut):
            await said(server.url, timeout_s=0.2)


async def test_leaving_closes_the_stream_so_that_the_model_stops(server: ScriptedServer):
    server.pause_s = 0.01
    server.scripts.append((200, [word("word ")] * 500))
    stream = OpenAiChat(server.url).stream(MESSAGES, "", Sampling())
    async for _ in stream:
        break
    await stream.aclose()
    assert len(server.requests) == 1


async def test_the_server_that_answers_says_which_model_it_serves(server: ScriptedServer):
    server.scripts.append((200, [word("so."), DONE]))
    deltas = [delta async for delta in OpenAiChat(server.url).stream(MESSAGES, "", Sampling())]
    assert deltas[0].served == ModelInfo(
        "acme/model", "abc123", "text-generation-router 3.3.5 max_total_tokens=512", is_tgi=True
    )


async def test_another_server_is_asked_when_one_is_full_or_away(server: ScriptedServer):
    async with scripted_server() as second:
        server.scripts.append((200, [TGI_FULL, DONE]))
        second.scripts += [(200, [word("two"), DONE])] * 2
        chat = OpenAiChat(f"{server.url},http://127.0.0.1:{free_port()},{second.url}")
        for _ in range(2):
            deltas = [delta.text async for delta in chat.stream(MESSAGES, "", Sampling())]
            assert "".join(deltas) == "two"
    assert len(server.requests) == 1


async def test_tries_have_a_budget_so_that_a_failing_server_is_not_buried_in_them(server: ScriptedServer):
    server.scripts += [(503, [{}])] * 200
    chat = OpenAiChat(server.url)
    for _ in range(40):
        with pytest.raises(Unavailable):
            await anext(aiter(chat.stream(MESSAGES, "", Sampling())))
    assert len(server.requests) <= 40 + 10 + 40 * 0.2 + 1


async def test_silence_between_words_ends_it_though_the_connection_is_kept_alive(server: ScriptedServer):
    """TGI's heartbeats are comments: only words count."""
    server.scripts.append((200, [word("Because "), *[b""] * 100]))
    server.pause_s = 0.05
    stream = OpenAiChat(server.url, timeout_s=5, stall_s=0.3).stream(MESSAGES, "", Sampling())
    assert (await anext(stream)).served
    assert (await anext(stream)).text == "Because "
    with pytest.raises(TimedOut):
        await anext(stream)
    assert len(server.requests) == 1
