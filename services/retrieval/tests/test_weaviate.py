"""Weaviate's own ways to fail, and what three replicas on one server may not do."""

import asyncio
import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from loopline_local.weaviate import WeaviateServer, weaviate_server
from loopline_nats.line import Line, open_line
from loopline_retrieval.adapters.fakes import FakeKnowledge, FakeServing
from loopline_retrieval.adapters.knowledge_kv import KnowledgeKv
from loopline_retrieval.adapters.weaviate_schema import collection_name, tenant_name
from loopline_retrieval.adapters.weaviate_store import WeaviateStore
from loopline_retrieval.app import Indexing
from loopline_retrieval.settings import Weaviate
from loopline_runtime.errors import Invalid, LooplineError, Unavailable
from loopline_testing.fixtures import NOT_RUN, bus_settings
from loopline_testing.nats import NatsServer

NOBODY: frozenset[str] = frozenset()


def reached(server: WeaviateServer, **more) -> Weaviate:
    ports = server.ports
    return Weaviate(port=ports["http"], grpc_port=ports["grpc"], key=SecretStr(server.key), **more)


@asynccontextmanager
async def slowed(port: int, chance: random.Random):
    """A proxy that holds back what is sent for up to 30 ms; yields its port."""
    open_ends: list[asyncio.StreamWriter] = []
    working: list[asyncio.Task[None]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most_s: float) -> None:
        with suppress(ConnectionError):
            while part := await reader.read(65_536):
                await asyncio.sleep(chance.random() * most_s)
                writer.write(part)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection("127.0.0.1", port)
        open_ends.extend((writer, ahead))
        working.append(asyncio.current_task())
        await asyncio.gather(pump(reader, ahead, 0.03), pump(behind, writer, 0.0))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for end in open_ends:
            end.close()
        await asyncio.gather(*working)


async def count(store: WeaviateStore, build, space) -> int:
    client = await store._connected()
    tenant = client.collections.use(collection_name(store._settings.prefix, build.model)).with_tenant(
        tenant_name(space)
    )
    return (await tenant.aggregate.over_all(total_count=True)).total_count


async def test_what_three_replicas_deleted_while_its_batches_were_in_flight_is_gone(
    weaviate: WeaviateServer, provisioned: NatsServer, line: Line, build
):
    chance = random.Random(7)
    names = [f"d{number}" for number in range(500)]
    async with slowed(weaviate.ports["grpc"], chance) as port:
        settings = replace_grpc(reached(weaviate, prefix="Replicas"), port)
        async with (
            WeaviateStore.opened(settings) as one,
            WeaviateStore.opened(settings) as two,
            WeaviateStore.opened(settings) as three,
            open_line(bus_settings(provisioned), "retrieval") as bus,
        ):
            replicas = [Indexing(store, KnowledgeKv(bus), FakeServing()) for store in (one, two, three)]
            limit = asyncio.Semaphore(24)

            async def said(act) -> None:
                async with limit:
                    await act()

            acts = []
            for revision, name in enumerate(names, 1):
                for number in range(2):
                    of = build.batch(name, revision, number, 2)
                    texts = build.chunks(of, f"{name} tower {number}")
                    acts.append(lambda of=of, texts=texts: chance.choice(replicas).index(of, texts))
                acts.append(lambda name=name: chance.choice(replicas).forget("acme", "default", name, len(names) + 1))
            chance.shuffle(acts)
            async with asyncio.timeout(120):
                await asyncio.gather(*(said(act) for act in acts))
            space = build.batch("d0", 1).space
            assert await one.keyword(space, "tower", 100, None, NOBODY) == []
            assert await count(one, build, space) == 0


def replace_grpc(settings: Weaviate, port: int) -> Weaviate:
    return settings.model_copy(update={"grpc_port": port})


async def test_a_server_that_hangs_or_was_killed_is_found_again(weaviate, build):
    first, second = build.batch("d1", 1), build.batch("d2", 2)
    with weaviate_server() as server:
        settings = reached(server, timeout_s=0.5, write_timeout_s=0.5)
        async with WeaviateStore.opened(reached(server)) as patient, WeaviateStore.opened(settings) as store:
            knowledge = FakeKnowledge()
            assert await Indexing(patient, knowledge, FakeServing()).index(first, build.chunks(first, "red tower"))
            indexing = Indexing(store, knowledge, FakeServing())
            assert len(await store.keyword(first.space, "tower", 5, None, NOBODY)) == 1
            os.kill(server.process.pid, signal.SIGSTOP)
            await asyncio.to_thread(os.waitpid, server.process.pid, os.WUNTRACED)
            for act in (
                lambda: store.keyword(first.space, "tower", 5, None, NOBODY),
                lambda: indexing.index(second, build.chunks(second, "blue tower")),
            ):
                async with asyncio.timeout(4):
                    with pytest.raises(Unavailable, match=r"within 0\.5 s"):
                        await act()
            os.kill(server.process.pid, signal.SIGCONT)
            await again_and_again(lambda: indexing.index(second, build.chunks(second, "blue tower")))
            server.kill()
            for act in (patient.ready, lambda: patient.keyword(first.space, "tower", 5, None, NOBODY)):
                async with asyncio.timeout(4):
                    with pytest.raises(Unavailable):
                        await act()
            server.start()
            await again_and_again(patient.ready)
            found = await again_and_again(lambda: patient.keyword(first.space, "tower", 5, None, NOBODY))
            assert len(found) == 2


async def again_and_again(act):
    """As the bus does, until it succeeds."""
    async with asyncio.timeout(20):
        while True:
            with suppress(Unavailable):
                return await act()
            await asyncio.sleep(0.05)


async def test_a_collection_that_somebody_removed_is_empty_and_made_again_by_the_next_write(own_weaviate, build):
    first, second = build.batch("d1", 1), build.batch("d2", 2)
    async with WeaviateStore.opened(own_weaviate) as store:
        indexing = Indexing(store, FakeKnowledge(), FakeServing())
        await indexing.index(first, build.chunks(first, "red tower"))
        client = await store._connected()
        await client.collections.delete(collection_name(own_weaviate.prefix, build.model))
        assert await store.keyword(first.space, "tower", 5, None, NOBODY) == []
        assert await store.nearest(first.space, build.chunks(first, "red")[0].vector, 5, None, NOBODY) == []
        await again_and_again(lambda: indexing.index(second, build.chunks(second, "blue tower")))
        assert len(await store.keyword(first.space, "tower", 5, None, NOBODY)) == 1


async def test_a_server_that_is_away_or_silent_is_unavailable_within_the_deadline(build):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        for settings in (Weaviate(port=1, grpc_port=2), Weaviate(port=port, grpc_port=2, timeout_s=0.5)):
            async with WeaviateStore.opened(settings) as store, asyncio.timeout(4):
                with pytest.raises(Unavailable):
                    await store.ready()


async def test_a_wrong_key_is_told(weaviate: WeaviateServer, build):
    settings = reached(weaviate).model_copy(update={"key": SecretStr("guess")})
    async with WeaviateStore.opened(settings) as store:
        coming = build.batch("d1", 1)
        with pytest.raises(LooplineError, match=r"401|[Uu]nauthori[sz]ed|unauthenticated"):
            await store.put(coming, build.chunks(coming, "x"), NOBODY)


async def test_of_a_batch_that_is_taken_in_part_nothing_answers_until_it_is_whole(
    own_weaviate: Weaviate, build, caplog: pytest.LogCaptureFixture
):
    before, coming = build.batch("d1", 1), build.batch("d2", 2)
    good = build.chunks(coming, "red tower", "blue tower")
    async with WeaviateStore.opened(own_weaviate) as store:
        indexing = Indexing(store, FakeKnowledge(), FakeServing())
        await indexing.index(before, build.chunks(before, "orange harbour"))
        with pytest.raises(Invalid, match="vectors"):
            await store.put(coming, [good[0], replace(good[1], vector=good[1].vector[:8])], NOBODY)
        assert await answering(store, coming) == []
        assert "blue tower" not in caplog.text, "texts are not for logs"
        assert await indexing.index(coming, good)
        assert sorted(await answering(store, coming)) == ["blue tower", "red tower"]


async def answering(store: WeaviateStore, batch) -> list[str]:
    hits = await store.keyword(batch.space, "tower", 5, None, NOBODY)
    return [passage.text for passage in (await store.passages(batch.space, [hit.row for hit in hits])).values()]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 MB that can be filled."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"{NOT_RUN}: a full disk under Weaviate; only root can mount a small one")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


async def test_a_full_disk_parks_the_writers_and_they_resume(weaviate, build, small_disk: Path):
    first, second = build.batch("d1", 1), build.batch("d2", 2)
    server = WeaviateServer(small_disk, more={"DISK_USE_READONLY_PERCENTAGE": "60"})
    try:
        server.start()
        async with WeaviateStore.opened(reached(server)) as store:
            indexing = Indexing(store, FakeKnowledge(), FakeServing())
            await indexing.index(first, build.chunks(first, "red tower"))
            ballast = small_disk / "ballast"
            ballast.write_bytes(bytes(400 * 2**20))
            await asyncio.sleep(1.5)  # it looks twice a second
            with pytest.raises(Unavailable) as caught:
                await indexing.index(second, build.chunks(second, "blue tower"))
            assert caught.value.reason == "INDEX_READ_ONLY"
            assert len(await store.keyword(first.space, "red", 5, None, NOBODY)) == 1
            ballast.unlink()
            async with asyncio.timeout(20):
                while True:
                    with suppress(Unavailable):
                        await indexing.index(second, build.chunks(second, "blue tower"))
                        break
                    await asyncio.sleep(0.2)
            assert len(await store.keyword(first.space, "blue", 5, None, NOBODY)) == 1
    finally:
        server.stop()
