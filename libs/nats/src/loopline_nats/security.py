"""How we come in: credentials and certificates, both read again at each reconnection."""

import logging

from faststream.nats.security import NatsCredentials
from faststream.security import BaseSecurity

from loopline_runtime.errors import Unavailable
from loopline_runtime.settings import Nats


def security_of(settings: Nats) -> BaseSecurity | None:
    """None for an open bus. Unavailable when a file is missing."""
    context = settings.tls.client_context() if settings.tls.used else None
    if context:
        logging.getLogger("asyncio").addFilter(_tells_something)
    if settings.credentials is None:
        return BaseSecurity(ssl_context=context) if context else None
    if not settings.credentials.is_file():
        raise Unavailable(f"NATS__CREDENTIALS: there is no file {settings.credentials}", reason="NO_CREDENTIALS")
    return NatsCredentials(str(settings.credentials), ssl_context=context)


def _tells_something(record: logging.LogRecord) -> bool:
    """All but a warning of asyncio whenever a connection to a bus with TLS is closed; nothing is wrong then."""
    return not record.getMessage().startswith("returning true from eof_received()")
