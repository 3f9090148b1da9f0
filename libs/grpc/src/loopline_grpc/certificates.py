"""Certificates of doors and callers, read again when their files change."""

import grpc
import structlog

from loopline_runtime.errors import LooplineError
from loopline_runtime.tls import Tls

log = structlog.get_logger(__name__)


def of_door(tls: Tls) -> grpc.ServerCredentials:
    """The door shows its certificate; with `ca` set it lets in only callers who show one signed by it (mTLS).

    The files are looked at for each handshake; while new ones cannot be used, the former ones hold. Unavailable when the first cannot.
    """
    tls.client_context()  # what OpenSSL cannot use is told now, in words
    stamp = tls.stamp()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal stamp
        now = tls.stamp()
        if now == stamp:
            return None
        stamp = now
        try:
            tls.client_context()
            found = _configuration(tls)
        except LooplineError as error:
            log.warning("the new certificate is not taken; the former one holds", error=str(error))
            return None
        log.info("the certificate is renewed", certificate=str(tls.certificate))
        return found

    # None means that nothing changed, which the type stubs do not know.
    return grpc.dynamic_ssl_server_credentials(_configuration(tls), renewed, bool(tls.ca))  # type: ignore[arg-type]


def of_caller(tls: Tls) -> grpc.ChannelCredentials:
    """Trusts `ca` (else what gRPC trusts) and shows our certificate when there is one. Unavailable when a file cannot be used."""
    tls.client_context()
    return grpc.ssl_channel_credentials(tls.read("ca"), tls.read("key"), tls.read("certificate"))


def _configuration(tls: Tls) -> grpc.ServerCertificateConfiguration:
    pair = (tls.read("key") or b"", tls.read("certificate") or b"")
    return grpc.ssl_server_certificate_configuration([pair], tls.read("ca"))
