"""Every expected failure says two things: whose fault it is, and whether trying again can help.

* LooplineError
  x Rejected            the caller must change something; never retried
    + Invalid
    + NotFound
    + Conflict
      - Aborted         the caller lost a race; read again and decide
    + Unauthenticated
    + Forbidden
  x Unavailable         a dependency failed us; retried with backoff, never buried
    + Overloaded
    + TimedOut
  x Broken              the service that was asked has a bug; neither helps: treated as a bug of our own

Anything else that reaches an edge is a bug: logged with its traceback, answered INTERNAL, tried five times on the bus.
"""


class LooplineError(Exception):
    """Base of every failure a service expects.

    `reason` is a stable word in capitals for programs (google.rpc.ErrorInfo); the message is a sentence for people.
    `field` names the argument at fault; `retry_after_s` is when another try may help.
    """

    reason = "FAILED"

    def __init__(
        self, message: str, *, reason: str | None = None, field: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason
        self.field = field
        self.retry_after_s = retry_after_s


class Rejected(LooplineError):
    """The request cannot succeed as it stands."""

    reason = "REJECTED"


class Invalid(Rejected):
    """An argument breaks a rule of the model."""

    reason = "INVALID"


class NotFound(Rejected):
    """The thing asked for does not exist, or not for this caller."""

    reason = "NOT_FOUND"


class Conflict(Rejected):
    """The thing exists already, and is different."""

    reason = "CONFLICT"


class Aborted(Conflict):
    """Somebody else was faster; read again and decide."""

    reason = "LOST_RACE"


class Unauthenticated(Rejected):
    """No key, or one that is not known (any more)."""

    reason = "UNAUTHENTICATED"


class Forbidden(Rejected):
    """The key does not carry the right."""

    reason = "FORBIDDEN"


class Unavailable(LooplineError):
    """A dependency did not answer as it should."""

    reason = "UNAVAILABLE"


class Overloaded(Unavailable):
    """A dependency, or this service, is full for now."""

    reason = "OVERLOADED"


class TimedOut(Unavailable):
    """A dependency took too long."""

    reason = "TIMED_OUT"


class Broken(LooplineError):
    """The service that was asked answered with a bug of its own (gRPC INTERNAL, UNKNOWN, UNIMPLEMENTED, DATA_LOSS)."""

    reason = "BROKEN"
