"""The errors of nats-py and JetStream, told in ours."""

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
    except (nats.errors.Error, OSError) as error:
        if any(word in str(error).lower() for word in REFUSED):
            raise Unavailable(
                f"{what}: the bus refuses us ({error}): look at NATS__CREDENTIALS", reason="BUS_REFUSES"
            ) from error
        raise Unavailable(f"{what}: the bus cannot be reached ({type(error).__name__})") from error
