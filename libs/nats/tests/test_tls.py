"""The bus over TLS: who is trusted, and certificates that are renewed while connections last."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig

from loopline_contracts.streams import CANARY, CANARY_STREAM
from loopline_nats.foreign import translated
from loopline_nats.line import open_line
from loopline_nats.security import security_of
from loopline_runtime.errors import Unavailable
from loopline_runtime.settings import Nats
from loopline_runtime.tls import Tls
from loopline_testing.certificates import Certificates
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer, nats_server


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def secured(own: Tls, *, verify: bool) -> str:
    trusted = f'ca_file: "{own.ca}", verify: true' if verify else ""
    return f'tls {{ cert_file: "{own.certificate}", key_file: "{own.key}", {trusted} }}\n'


@pytest.fixture
def server(certificates: Certificates) -> Iterator[NatsServer]:
    """With mTLS."""
    with nats_server(extra=secured(certificates.issue("server"), verify=True)) as server:
        yield server


async def refused(server: NatsServer, tls: Tls) -> None:
    """Raises nothing when no connection comes about; a bare client can be closed afterwards."""
    security = security_of(Nats(tls=tls))
    assert security
    client = Client()
    try:
        with pytest.raises(Unavailable), translated("the bus"):
            await client.connect(server.url, tls=security.ssl_context, allow_reconnect=False)
    finally:
        with suppress(TimeoutError):  # the client waits for the goodbye of a handshake that never ended
            await asyncio.wait_for(client.close(), 0.5)


async def test_the_line_runs_over_mtls_and_goes_on_with_renewed_certificates(
    certificates: Certificates, server: NatsServer
):
    settings = bus_settings(server).model_copy(update={"tls": certificates.issue("client")})
    async with open_line(settings, "embedding") as line:
        await line.jetstream.add_stream(StreamConfig(name=CANARY_STREAM, subjects=[f"{CANARY}.>"]))
        await line.ready()
        renewed = Certificates(certificates.folder)  # another authority: the former files would be refused
        renewed.issue("server")
        renewed.issue("client")
        server.reload()
        async with open_line(settings, "retrieval") as late:
            await late.ready()
        await line.ready()  # who was there stays
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(15):
            while True:
                try:
                    await line.ready()
                    break
                except Unavailable:
                    await asyncio.sleep(0.1)


async def test_who_gives_up_says_which_certificate_is_wrong(certificates: Certificates, server: NatsServer):
    # Long enough for some tries: in one, the end of the connection may overtake the reason.
    settings = bus_settings(server).model_copy(update={"tls": Tls(ca=certificates.ca), "connect_s": 4})
    with pytest.raises(Unavailable, match=r"trust the other's certificate.*LOOPLINE_CERTIFICATE") as refused:
        async with open_line(settings, "operator"):
            pass
    assert refused.value.reason == "UNTRUSTED"


async def test_without_a_certificate_nobody_comes_in(certificates: Certificates, server: NatsServer):
    await refused(server, Tls(ca=certificates.ca))


async def test_a_client_whose_certificate_ended_is_refused(certificates: Certificates, server: NatsServer):
    await refused(server, certificates.issue("client", ended=True))


@pytest.mark.parametrize("wrong", ["ended", "name", "authority"])
async def test_a_server_with_a_wrong_certificate_is_not_trusted(certificates: Certificates, tmp_path: Path, wrong: str):
    hosts = ("other.example",) if wrong == "name" else ()
    own = certificates.issue("server", *hosts, ended=wrong == "ended")
    (tmp_path / "strangers").mkdir()
    trusted = Certificates(tmp_path / "strangers").ca if wrong == "authority" else certificates.ca
    with nats_server(extra=secured(own, verify=False)) as server:
        await refused(server, Tls(ca=trusted))


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(Unavailable, match="cannot be used"):
        security_of(Nats(tls=Tls(ca=tmp_path / "nowhere.pem")))
    with pytest.raises(Unavailable, match="NATS__CREDENTIALS"):
        security_of(Nats(credentials=tmp_path / "nowhere.creds"))
