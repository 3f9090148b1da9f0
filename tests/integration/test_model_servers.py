"""One suite over model servers: a server that keeps TGI's contract, llama.cpp's real one, and a real TGI where `--tgi-url` names one."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from loopline_generation.adapters.chat_openai import OpenAiChat
from loopline_generation.model import Message, Sampling, Usage
from loopline_runtime.errors import Invalid
from loopline_testing.fixtures import NOT_RUN
from loopline_testing.tgi import tgi_server

MESSAGES = [Message("user", "Say something about lighthouses.")]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "enum": ["Skerry Point", "Bell Rock"]}, "year": {"type": "integer"}},
    "required": ["name", "year"],
}


@pytest.fixture(params=["tgi-contract", "llama.cpp", "tgi"])
async def chat(request: pytest.FixtureRequest) -> AsyncIterator[OpenAiChat]:
    match request.param:
        case "tgi-contract":
            async with tgi_server() as server:
                yield OpenAiChat(server.url)
        case "llama.cpp":
            yield OpenAiChat(request.getfixturevalue("llama"))
        case _:
            url = request.config.getoption("--tgi-url")
            if not url:
                pytest.skip(
                    f"{NOT_RUN}: the suite of model servers against a real TGI; give one: PYTEST_ADDOPTS=--tgi-url=URL make test"
                )
            yield OpenAiChat(url)


async def said(chat: OpenAiChat, sampling: Sampling) -> tuple[str, Usage | None]:
    text, cost = "", None
    async for delta in chat.stream(MESSAGES, "", sampling):
        text += delta.text
        cost = delta.usage or cost
    return text, cost


async def test_words_and_their_cost(chat: OpenAiChat):
    text, cost = await said(chat, Sampling(max_tokens=12, temperature=0.0))
    assert text.strip()
    assert cost
    assert cost.prompt_tokens >= 4
    assert 1 <= cost.completion_tokens <= 12


async def test_the_same_seed_says_the_same(chat: OpenAiChat):
    sampling = Sampling(max_tokens=12, temperature=0.0, seed=7)
    assert (await said(chat, sampling))[0] == (await said(chat, sampling))[0]


async def test_who_served_is_told_first(chat: OpenAiChat):
    stream = chat.stream(MESSAGES, "", Sampling(max_tokens=4))
    served = (await anext(stream)).served
    assert served
    assert served.name.strip("-")
    assert served.server
    await asyncio.sleep(1.1)
    later = (await anext(chat.stream(MESSAGES, "", Sampling(max_tokens=1)))).served
    assert later == served, "the same server told twice is the same version"
    await stream.aclose()


async def test_output_is_bound_to_a_schema(chat: OpenAiChat):
    text, _ = await said(chat, Sampling(max_tokens=40, temperature=0.0, json_schema=json.dumps(SCHEMA)))
    found = json.loads(text)
    assert found["name"] in ("Skerry Point", "Bell Rock")
    assert isinstance(found["year"], int)


async def test_output_is_bound_to_a_grammar(chat: OpenAiChat):
    served = (await anext(chat.stream(MESSAGES, "", Sampling(max_tokens=1)))).served
    grammar = "(yes|no)" if served and served.is_tgi else 'root ::= "yes" | "no"'
    assert (await said(chat, Sampling(max_tokens=8, temperature=0.0, grammar=grammar)))[0].strip() in ("yes", "no")


async def test_a_prompt_that_is_too_long_is_refused(chat: OpenAiChat):
    with pytest.raises(Invalid, match="refuses"):
        async for _ in chat.stream([Message("user", "word " * 40_000)], "", Sampling(max_tokens=8)):
            pass


async def test_many_at_once_and_who_leaves_make_room_for_the_next(chat: OpenAiChat):
    async def leave() -> None:
        stream = chat.stream(MESSAGES, "", Sampling(max_tokens=100))
        async for delta in stream:
            if delta.text:
                break
        await stream.aclose()

    await asyncio.gather(*(leave() for _ in range(4)))
    async with asyncio.timeout(20):
        assert (await said(chat, Sampling(max_tokens=4)))[0]


async def test_a_full_server_sends_us_to_another_one():
    async with tgi_server(most_at_once=0) as full, tgi_server() as free:
        chat = OpenAiChat(f"{full.url},{free.url}")
        for _ in range(3):
            assert (await said(chat, Sampling(max_tokens=3)))[0]
        assert len(free.requests) == 3
