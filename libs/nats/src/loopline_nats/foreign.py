"""The errors of nats-py and JetStream, told in ours."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import nats.errors
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ObjectNotFoundError

from loopline_runtime.errors import Aborted, Invalid, NotFound, Overloaded, TimedOut, Unavailable

# err_code of the JetStream API, see server/errors.json of nats-server.
WRONG_LAST_SEQUENCE = {10071, 10164}
STREAM_FULL = {10077, 10047, 10023}
PAYLOAD_TOO_LARGE = {10054}
# What the server says of credentials, in a plain nats.errors.Error.
REFUSED = ("authorization", "authentication", "permissions violation")


def explains(error: Exception) -> bool:
    """Whether it says why we are not let in."""
    return isinstance(error, ssl.SSLError) or any(word in str(error).lower() for word in REFUSED)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Around a call to the bus; `what` is the subject of the sentence."""
    try:
        yield
    except ObjectNotFoundError as error:
        raise NotFound(f"{what}: no such object") from error
    except NotFoundError as error:
        raise Unavailable(f"{what} does not exist; run `loopline streams apply`", reason="NOT_PROVISIONED") from error
    except NoStreamResponseError as error:
        raise Unavailable(
            f"{what}: no stream keeps it, or its leader is being elected; if it stays so, run `loopline streams apply`",
            reason="NOT_PROVISIONED",
        ) from error
    except APIError as error:
        if error.err_code in WRONG_LAST_SEQUENCE:
            raise Aborted(f"{what} changed meanwhile") from error
        if error.err_code in STREAM_FULL:
            raise Overloaded(f"{what}: the stream is full", reason="STREAM_FULL", retry_after_s=30) from error
        if error.err_code in PAYLOAD_TOO_LARGE:
            raise Invalid(f"{what}: the message is too large", reason="TOO_LARGE") from error
        raise Unavailable(f"{what}: {error.description or error}") from error
    except nats.errors.MaxPayloadError as error:
        raise Invalid(f"{what}: the message is too large", reason="TOO_LARGE") from error
    except (nats.errors.TimeoutError, TimeoutError) as error:
        raise TimedOut(f"{what}: the bus did not answer in time") from error
    except ssl.SSLError as error:
        raise Unavailable(
            f"{what}: one of us does not trust the other's certificate ({_plain(error)}): look at NATS__TLS__CA, "
            "NATS__TLS__CERTIFICATE (LOOPLINE_CA, LOOPLINE_CERTIFICATE of the command), their names and their ends",
            reason="UNTRUSTED",
        ) from error
    except (nats.errors.Error, OSError) as error:
        if explains(error):
            raise Unavailable(
                f"{what}: the bus refuses us ({error}): look at NATS__CREDENTIALS "
                "(LOOPLINE_NATS_CREDENTIALS of the command)",
                reason="BUS_REFUSES",
            ) from error
        raise Unavailable(f"{what}: the bus cannot be reached ({type(error).__name__})") from error


def _plain(error: ssl.SSLError) -> str:
    """Without the library's place in its own source."""
    told = getattr(error, "verify_message", "") or (error.reason or str(error))
    return told.replace("_", " ").lower()
