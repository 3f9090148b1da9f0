"""The map between loopline errors and gRPC statuses, both ways. (The bus has the other map: loopline_nats/disposition.py.)

| error | status | |
|---|---|---|
| Invalid | INVALID_ARGUMENT | BadRequest when a field is named |
| NotFound | NOT_FOUND | |
| Conflict | ALREADY_EXISTS | |
| Aborted | ABORTED | |
| Unauthenticated | UNAUTHENTICATED | |
| Forbidden | PERMISSION_DENIED | |
| Rejected | FAILED_PRECONDITION | |
| Overloaded | RESOURCE_EXHAUSTED | RetryInfo |
| TimedOut | DEADLINE_EXCEEDED | RetryInfo when known |
| Unavailable | UNAVAILABLE | RetryInfo when known |
| anything else | INTERNAL | a bug: logged with its traceback under a short id, which is all that the caller is told |

Every status carries google.rpc.ErrorInfo: domain `loopline`, a reason, metadata `field` or `id`. Reasons that are the
same in every service (the class's own reason, as INVALID or NOT_FOUND, stands where nobody said more):

| reason | meaning |
|---|---|
| KEY_MISSING, KEY_UNKNOWN | no API key; one that is not known or was revoked |
| RIGHT_MISSING, ACT_FOR_MISSING | the key lacks the right of the rpc; it names a tenant and may not |
| TENANT_MALFORMED | `loopline-tenant` is not a tenant's name |
| MESSAGE_MALFORMED | the bytes are not the message of the rpc |
| MESSAGE_TOO_LARGE | over the limit of the sender or the receiver; made by the client, from gRPC's RESOURCE_EXHAUSTED |
| OVERLOADED, TENANT_OVERLOADED | too many calls in flight: in all, of this tenant |
| DEADLINE_PASSED | the call's time ran out here |
| INTERNAL | a bug, see above |
| SERVICE_KEY_REFUSED | the service that was asked refused this service's own key: an operator must act |
| UNTRUSTED | the certificate that was shown is not trusted: its signer, its names or its end |
| UNREACHABLE | nothing listens there, or the connection broke |

The reason of a status that no loopline server made (a proxy's, gRPC's own) is the name of its code.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from loopline_runtime.errors import (
    Aborted,
    Broken,
    Conflict,
    Forbidden,
    Invalid,
    LooplineError,
    NotFound,
    Overloaded,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
)

DOMAIN = "loopline"
DETAILS_KEY = "grpc-status-details-bin"

# Trailers are limited to 8 KiB in all, the message is sent twice in them, and once with each byte as three.
_LONGEST_MESSAGE_BYTES = 1200
_LONGEST_FIELD = 120

# In the words of gRPC's TLS; a door tells a caller nothing, it closes.
_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification Check failed")
_CLOSED = "Socket closed"
_TOO_LARGE = "message larger than max"

# The most special class first.
_CODES: tuple[tuple[type[LooplineError], grpc.StatusCode], ...] = (
    (Aborted, grpc.StatusCode.ABORTED),
    (Conflict, grpc.StatusCode.ALREADY_EXISTS),
    (Invalid, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (Forbidden, grpc.StatusCode.PERMISSION_DENIED),
    (Rejected, grpc.StatusCode.FAILED_PRECONDITION),
    (Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TimedOut, grpc.StatusCode.DEADLINE_EXCEEDED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
)
_CLASSES = {code: error for error, code in _CODES} | {
    grpc.StatusCode.OUT_OF_RANGE: Invalid,
    grpc.StatusCode.CANCELLED: Unavailable,
}

log = structlog.get_logger(__name__)


@dataclass
class Outcome:
    """How a call ended, for whoever counts calls."""

    code: grpc.StatusCode = grpc.StatusCode.OK
    reason: str = ""


@asynccontextmanager
async def answering(context: "grpc.aio.ServicerContext[Any, Any]", outcome: Outcome) -> AsyncIterator[None]:
    """Ends the call with the status of whatever is raised in the block, and notes it in `outcome`."""
    try:
        yield
    except asyncio.CancelledError:
        outcome.code = grpc.StatusCode.CANCELLED
        raise
    except grpc.aio.AbortError:
        # Somebody inside ended the call by hand.
        outcome.code = grpc.StatusCode.UNKNOWN
        raise
    except Exception as error:
        status, outcome.code, outcome.reason = status_of(error)
        if outcome.code is grpc.StatusCode.INTERNAL:
            log.exception("a bug", reason=outcome.reason, answered=status.message)
        await context.abort(outcome.code, status.message, ((DETAILS_KEY, status.SerializeToString()),))


async def ailment_of(check: Callable[[], Awaitable[None]], timeout_s: float) -> str:
    """Why a check fails, in a few words; "" when it passes."""
    try:
        async with asyncio.timeout(timeout_s):
            await check()
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except LooplineError as error:
        return f"{error.reason}: {error}"
    except Exception as error:
        log.exception("a bug in a check")
        return type(error).__name__
    return ""


def status_of(error: Exception) -> tuple[Status, grpc.StatusCode, str]:
    """The status that tells a caller of this error, its code, and its reason."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
    if not isinstance(error, LooplineError) or code is grpc.StatusCode.INTERNAL:
        short = secrets.token_hex(4)
        info = ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"id": short})
        return _status(code, f"this is a bug of the service; its log knows it as {short}", info), code, info.reason
    field = (error.field or "")[:_LONGEST_FIELD]
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata={"field": field} if field else {})
    status = _status(code, _clipped(str(error)), info)
    if field and code is grpc.StatusCode.INVALID_ARGUMENT:
        violation = BadRequest.FieldViolation(field=field, description=error.reason)
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    if error.retry_after_s is not None:
        wait = Duration()
        wait.FromNanoseconds(int(error.retry_after_s * 1e9))
        status.details.add().Pack(RetryInfo(retry_delay=wait))
    return status, code, error.reason


def error_of(error: grpc.aio.AioRpcError, service: str, *, for_another: bool = False) -> LooplineError:
    """The loopline error that a status tells of.

    `service` names who was asked; `for_another`: we called with our own key, on behalf of somebody.
    """
    info, retry_after_s = _details(error)
    code = error.code()
    said = error.details() or code.name
    kind = _CLASSES.get(code, Broken)
    if for_another and kind in (Unauthenticated, Forbidden):
        return Unavailable(f"{service} refuses the key of this service: {said}", reason="SERVICE_KEY_REFUSED")
    if info is not None and kind is not Broken:
        return kind(said, reason=info.reason, field=info.metadata.get("field"), retry_after_s=retry_after_s)
    if kind is Overloaded and _TOO_LARGE in said:
        # gRPC's own words, before any of ours was reached; trying again cannot help.
        return Invalid(f"{service}: {said}", reason="MESSAGE_TOO_LARGE")
    if kind is Broken or issubclass(kind, Rejected):
        return kind(f"{service}: {said}", reason=info.reason if info else code.name)
    if code is grpc.StatusCode.UNAVAILABLE and (wrong := next((words for words in _UNTRUSTED if words in said), "")):
        return Unavailable(
            f"{service} shows a certificate that is not trusted ({said[said.index(wrong) :]}): look at "
            "PEERS__CA (LOOPLINE_CA of the command), at the names in it and at its end",
            reason="UNTRUSTED",
        )
    if code is grpc.StatusCode.UNAVAILABLE and said.endswith(_CLOSED):
        said = f"{said} (a door with TLS does so to a caller without, and to one whose certificate it does not trust)"
    reason = "UNREACHABLE" if code is grpc.StatusCode.UNAVAILABLE else code.name
    return kind(f"{service} does not answer: {said}", reason=reason, retry_after_s=retry_after_s)


def decoded(decode: Callable[[bytes], Any] | None, raw: bytes) -> Any:
    """The message in these bytes; Invalid when they are none."""
    if decode is None:
        return raw
    try:
        return decode(raw)
    except DecodeError as error:
        raise Invalid("these bytes are not the message of this rpc", reason="MESSAGE_MALFORMED") from error


def _details(error: grpc.aio.AioRpcError) -> tuple[ErrorInfo | None, float | None]:
    status = Status()
    info, retry, found = ErrorInfo(), RetryInfo(), False
    retry_after_s: float | None = None
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:
                return None, None
    for detail in status.details:
        if detail.Unpack(info):
            found = True
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
    return (info if found and info.domain == DOMAIN else None), retry_after_s


def _status(code: grpc.StatusCode, message: str, info: ErrorInfo) -> Status:
    number: int = code.value[0]
    status = Status(code=number, message=message)
    status.details.add().Pack(info)
    return status


def _clipped(message: str) -> str:
    raw = message.encode()
    return (
        message if len(raw) <= _LONGEST_MESSAGE_BYTES else raw[:_LONGEST_MESSAGE_BYTES].decode(errors="ignore") + " ..."
    )
