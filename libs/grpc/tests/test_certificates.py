"""Doors and callers with certificates: who is let in, and what happens when files change under a running door."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from loopline.embedding.v1 import embedding_service_pb2_grpc
from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest, EmbedQueryResponse
from loopline_grpc.client import calling, connect
from loopline_grpc.server import Door, serving
from loopline_runtime.errors import LooplineError, Unavailable
from loopline_runtime.settings import Grpc
from loopline_runtime.tls import Tls
from loopline_testing.certificates import Certificates
from loopline_testing.nats import free_port

EMBEDDING = "loopline.embedding.v1.EmbeddingService"


class Servicer(embedding_service_pb2_grpc.EmbeddingServiceServicer):
    async def EmbedQuery(self, request: EmbedQueryRequest, context: Any) -> EmbedQueryResponse:  # noqa: N802
        return EmbedQueryResponse(vector=b"1234")


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def door(tls: Tls) -> Any:
    add = embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server
    return serving(Grpc(port=0, tls=tls, grace_s=0), keys=None, doors=[Door(add, Servicer(), EMBEDDING)])


async def ask(channel: Any) -> bytes:
    async with calling("embedding"):
        reply = await embedding_service_pb2_grpc.EmbeddingServiceStub(channel).EmbedQuery(
            EmbedQueryRequest(), timeout=1.5
        )
        return bytes(reply.vector)


async def asked(port: int, tls: Tls | None, host: str = "localhost") -> bytes:
    async with connect(f"{host}:{port}", tls=tls) as channel:
        return await ask(channel)


async def test_a_caller_who_trusts_the_authority_is_answered_and_a_plain_one_is_not(certificates: Certificates):
    own = certificates.issue("door")
    async with door(own.model_copy(update={"ca": None})) as open_:
        assert await asked(open_.port, Tls(ca=certificates.ca)) == b"1234"
        with pytest.raises(Unavailable):
            await asked(open_.port, None)


async def test_a_door_with_an_authority_lets_in_only_whom_it_signed(certificates: Certificates, tmp_path: Path):
    (tmp_path / "strangers").mkdir()
    stranger = Certificates(tmp_path / "strangers").issue("stranger")
    async with door(certificates.issue("door")) as open_:
        assert await asked(open_.port, certificates.issue("caller")) == b"1234"
        for other in (Tls(ca=certificates.ca), stranger.model_copy(update={"ca": certificates.ca})):
            with pytest.raises(Unavailable, match="to one whose certificate it does not trust"):
                await asked(open_.port, other, "127.0.0.1")


@pytest.mark.parametrize("wrong", ["ended", "name", "authority"])
async def test_a_door_with_a_wrong_certificate_is_not_trusted(certificates: Certificates, tmp_path: Path, wrong: str):
    hosts = ("other.example",) if wrong == "name" else ()
    own = certificates.issue("door", *hosts, ended=wrong == "ended")
    (tmp_path / "strangers").mkdir()
    trusted = Certificates(tmp_path / "strangers").ca if wrong == "authority" else certificates.ca
    async with door(own.model_copy(update={"ca": None})) as open_:
        with pytest.raises(Unavailable, match=r"certificate that is not trusted.*PEERS__CA") as refused:
            await asked(open_.port, Tls(ca=trusted), "127.0.0.1")
        assert refused.value.reason == "UNTRUSTED"


async def test_a_caller_whose_certificate_ended_is_not_let_in(certificates: Certificates):
    async with door(certificates.issue("door")) as open_:
        with pytest.raises(Unavailable):
            await asked(open_.port, certificates.issue("caller", ended=True))


def serial_of(port: int) -> int:
    """The serial number of the certificate that the door shows now."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", port)) as raw, context.wrap_socket(raw) as secured:
        der = secured.getpeercert(binary_form=True)
        assert der
        return hash(der)


async def test_a_renewed_certificate_is_shown_and_a_broken_one_is_not(certificates: Certificates):
    own = certificates.issue("door").model_copy(update={"ca": None})
    async with door(own) as open_:
        first = await asyncio.to_thread(serial_of, open_.port)
        certificates.issue("door")
        second = await asyncio.to_thread(serial_of, open_.port)
        assert second != first
        assert own.certificate
        own.certificate.write_text("half a file")
        assert await asyncio.to_thread(serial_of, open_.port) == second
        assert await asked(open_.port, Tls(ca=certificates.ca)) == b"1234"


async def test_trust_that_is_withdrawn_holds_without_a_restart(certificates: Certificates, tmp_path: Path):
    """Both sides change their authority; one who kept the former is not let in any more."""
    own, caller = certificates.issue("door"), certificates.issue("caller")
    (tmp_path / "kept").mkdir()
    kept = Certificates(tmp_path / "kept", certificates.authority).issue("caller")
    async with door(own) as open_, connect(f"localhost:{open_.port}", tls=caller) as channel:
        assert await ask(channel) == b"1234"
        renewed = Certificates(tmp_path)
        renewed.issue("door")
        renewed.issue("caller")
        with pytest.raises(LooplineError):
            await asked(open_.port, kept.model_copy(update={"ca": renewed.ca}))
        await asyncio.sleep(1.1)
        assert await ask(channel) == b"1234"


async def test_files_that_do_not_fit_stop_the_boot_in_words(certificates: Certificates, tmp_path: Path):
    own = certificates.issue("door")
    with pytest.raises(Unavailable, match="cannot be used"):
        async with door(own.model_copy(update={"key": tmp_path / "nowhere.key"})):
            pass
    with pytest.raises(ValueError, match="needs its key"):
        Tls(certificate=own.certificate)


async def test_a_probe_without_tls_is_answered_on_the_port_of_health_and_nothing_else_is(certificates: Certificates):
    """Kubelets' gRPC probes speak no TLS."""
    settings = Grpc(port=0, health_port=free_port(), tls=certificates.issue("door"), grace_s=0)
    add = embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server
    probed = f"127.0.0.1:{settings.health_port}"
    async with serving(settings, keys=None, doors=[Door(add, Servicer(), EMBEDDING)]) as open_:
        async with grpc.aio.insecure_channel(probed) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            reply = await stub.Check(health_pb2.HealthCheckRequest(service=EMBEDDING), timeout=3)
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await embedding_service_pb2_grpc.EmbeddingServiceStub(channel).EmbedQuery(EmbedQueryRequest())
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(Unavailable):
            await asked(open_.port, None, "127.0.0.1")
    with pytest.raises(Unavailable, match="taken"):
        async with (
            serving(settings, keys=None, doors=[Door(add, Servicer(), EMBEDDING)]),
            serving(settings, keys=None, doors=[Door(add, Servicer(), EMBEDDING)]),
        ):
            pass
