"""What lies beside the bus: objects, entries, keys, the content setting."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from loopline_contracts.streams import Bucket
from loopline_nats.access import KeyRing
from loopline_nats.content import Content, Contents
from loopline_nats.kv import Entries
from loopline_nats.line import Line
from loopline_nats.objects import Objects
from loopline_runtime.access import Right, hash_of
from loopline_runtime.errors import Aborted, Conflict, Invalid, NotFound


async def parts(*given: bytes) -> AsyncIterator[bytes]:
    for part in given:
        yield part


async def test_bytes_come_back_as_they_went_in(line: Line):
    objects = Objects(line)
    data = [bytes([n]) * 100_000 for n in range(8)]
    stored = await objects.put("u1", parts(*data))
    assert stored == (await objects.put("u2", parts(b"".join(data))))
    assert (stored.size_bytes, stored.sha256) == (800_000, hashlib.sha256(b"".join(data)).hexdigest())
    assert b"".join([part async for part in objects.get("u1")]) == b"".join(data)
    assert sorted(named.name for named in await objects.names()) == ["u1", "u2"]
    await objects.delete("u1")
    await objects.delete("u1")
    assert [named.name for named in await objects.names()] == ["u2"]
    with pytest.raises(NotFound):
        _ = [part async for part in objects.get("u1")]


async def test_an_upload_whose_source_fails_leaves_nothing(line: Line):
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await Objects(line).put("u1", broken())
    assert await Objects(line).names() == []
    assert (await line.jetstream.stream_info("OBJ_UPLOADS")).state.bytes == 0


async def test_an_empty_object_is_an_object(line: Line):
    await Objects(line).put("empty", parts())
    assert [part async for part in Objects(line).get("empty")] == []


async def test_of_two_writers_with_the_same_knowledge_one_loses(line: Line):
    entries = Entries(line, Bucket.RETRIEVAL_DOCUMENTS)
    assert await entries.get("a.b") is None
    first = await entries.put_if("a.b", b"1", 0)
    with pytest.raises(Aborted):
        await entries.put_if("a.b", b"2", 0)
    await entries.put_if("a.b", b"2", first)
    with pytest.raises(Aborted):
        await entries.put_if("a.b", b"3", first)
    await entries.delete("a.b")
    assert await entries.get("a.b") is None
    assert await entries.put_if("a.b", b"4", 0)
    assert await entries.keys("a.*") == ["a.b"]


async def test_a_revoked_key_is_unknown_within_a_second(line: Line):
    operator = KeyRing(line)
    early, _ = await operator.add("early", "acme", {Right.READ})
    async with KeyRing.watching(line) as ring:
        found = ring.find(hash_of(early))
        assert found
        assert (found.tenant, found.allows(Right.READ), found.allows(Right.WRITE)) == ("acme", True, False)
        late, _ = await operator.add("late", "acme", {Right.ADMIN})
        await asyncio.sleep(0.3)
        assert ring.find(hash_of(late))
        await operator.revoke("early", "acme")
        await asyncio.sleep(0.5)
        assert ring.find(hash_of(early)) is None
        assert ring.find(hash_of(late))
    with pytest.raises(Conflict):
        await operator.add("late", "acme", {Right.READ})
    with pytest.raises(Invalid):
        await operator.add("x", "Not A Tenant", {Right.READ})
    with pytest.raises(NotFound):
        await operator.revoke("nobody")


async def test_what_stands_in_events_is_a_setting_of_the_tenant(line: Line):
    contents = Contents(line)
    assert await contents.of("acme") is Content.FULL
    await contents.put("acme", Content.HASHED)
    assert (await contents.of("acme")).shown("secret").startswith("sha256:")
    await contents.put("acme", Content.ABSENT)
    assert (await contents.of("acme")).shown("secret") == ""
    assert await contents.of("other") is Content.FULL
