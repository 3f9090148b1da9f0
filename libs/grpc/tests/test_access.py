"""Keys open doors; tenants come from keys."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest, EmbedQueryResponse
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline.ingestion.v1.ingestion_service_pb2 import PutCollectionRequest, PutCollectionResponse
from loopline.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceStub
from loopline_grpc.access import acting_for, called_by, caller
from loopline_grpc.client import calling, connect
from loopline_grpc.server import Door, serving
from loopline_runtime.access import Caller, Right
from loopline_runtime.errors import Forbidden, Invalid, Unauthenticated, Unavailable
from loopline_runtime.settings import Grpc

health_stub: Any = health_pb2_grpc.HealthStub
reflection_stub: Any = reflection_pb2_grpc.ServerReflectionStub


async def who_calls(_: Any) -> EmbedQueryResponse:
    return EmbedQueryResponse(vector=caller().tenant.encode())


@pytest.fixture
async def guarded(build: Callable[..., Any], keys: Any) -> Any:
    house = await build(keys=keys)
    house.embed_query = who_calls
    return house


async def ask(house: Any, key: str = "", tenant: str = "") -> str:
    async with connect(house.target, key=key, tenant=tenant) as channel, calling("embedding"):
        return (await EmbeddingServiceStub(channel).EmbedQuery(EmbedQueryRequest())).vector.decode()


async def test_a_key_names_its_tenant(guarded: Any, keys: Any) -> None:
    assert await ask(guarded, keys.add("acme", Right.READ)) == "acme"


async def test_no_key_an_unknown_key_and_a_revoked_key_open_nothing(guarded: Any, keys: Any) -> None:
    for key, reason in (("", "KEY_MISSING"), ("ll_guessed", "KEY_UNKNOWN")):
        with pytest.raises(Unauthenticated) as caught:
            await ask(guarded, key)
        assert caught.value.reason == reason
    key = keys.add("acme", Right.READ)
    await ask(guarded, key)
    keys.revoke(key)
    with pytest.raises(Unauthenticated):
        await ask(guarded, key)


async def test_a_right_that_the_proto_asks_for_is_asked_for(guarded: Any, keys: Any) -> None:
    async def put(_: Any) -> Any:
        return PutCollectionResponse()

    guarded.collection = put
    for right, may in ((Right.READ, False), (Right.WRITE, False), (Right.ADMIN, True)):
        async with connect(guarded.target, key=keys.add("acme", right)) as channel:
            call = IngestionServiceStub(channel).PutCollection(PutCollectionRequest())
            if may:
                await call
                continue
            with pytest.raises(Forbidden) as caught:
                async with calling("ingestion"):
                    await call
            assert caught.value.reason == "RIGHT_MISSING"


async def test_a_service_key_may_act_for_a_tenant_and_no_other_key_may(guarded: Any, keys: Any) -> None:
    service = keys.add("loopline", Right.READ, Right.ACT_FOR)
    assert await ask(guarded, service, tenant="acme") == "acme"
    assert await ask(guarded, service) == "loopline"
    with pytest.raises(Forbidden) as caught:
        await ask(guarded, keys.add("evil", Right.ADMIN), tenant="acme")
    assert caught.value.reason == "ACT_FOR_MISSING"
    with pytest.raises(Invalid) as malformed:
        await ask(guarded, service, tenant="Acme.*")
    assert malformed.value.reason == "TENANT_MALFORMED"


async def test_a_service_key_that_may_only_act_for_others_reads_nothing(guarded: Any, keys: Any) -> None:
    with pytest.raises(Forbidden):
        await ask(guarded, keys.add("loopline", Right.ACT_FOR), tenant="acme")


async def test_the_tenant_goes_on_with_the_call_and_with_an_event(guarded: Any, keys: Any) -> None:
    service = keys.add("loopline", Right.READ, Right.ACT_FOR)
    with called_by(Caller(tenant="acme", rights=frozenset({Right.READ}), key_name="a key")):
        assert await ask(guarded, service) == "acme"
    with acting_for("globex"):
        assert await ask(guarded, service) == "globex"


async def test_a_service_whose_own_key_is_refused_does_not_blame_its_caller(guarded: Any) -> None:
    with acting_for("acme"), pytest.raises(Unavailable) as caught:
        await ask(guarded, "ll_old")
    assert caught.value.reason == "SERVICE_KEY_REFUSED"


async def test_health_and_reflection_ask_for_no_key(guarded: Any) -> None:
    async with grpc.aio.insecure_channel(guarded.target) as channel:
        health = health_stub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_stub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        async for told in reflection.ServerReflectionInfo(asked):
            names = {service.name for service in told.list_services_response.service}
    assert {"loopline.embedding.v1.EmbeddingService", "grpc.health.v1.Health"} <= names


async def test_with_open_access_everybody_is_local(house: Any) -> None:
    house.embed_query = who_calls
    assert await ask(house) == "local"
    assert await ask(house, key="anything", tenant="acme") == "local"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "example.org"])
async def test_open_access_stays_on_this_machine(host: str) -> None:
    with pytest.raises(Invalid, match="ACCESS__MODE=keys"):
        async with serving(Grpc(host=host, port=0), keys=None, doors=[]):
            pass


async def test_a_door_without_stated_rights_stays_shut() -> None:
    health = Door(health_pb2_grpc.add_HealthServicer_to_server, object(), "grpc.health.v1.Health")
    with pytest.raises(ValueError, match="does not state its right"):
        async with serving(Grpc(port=0), keys=None, doors=[health]):
            pass


def test_outside_of_a_call_there_is_no_caller() -> None:
    with pytest.raises(RuntimeError):
        caller()
