"""The errors of SQLAlchemy and its drivers, told in ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from loopline_runtime.errors import Invalid, Overloaded, Unavailable

# SQLSTATEs of PostgreSQL that its driver files under mistakes of the statement, though an operator changed something.
INSUFFICIENT_PRIVILEGE = "42501"


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Around every use of the database called `name` ("ledger").

    Whatever passes by itself is Unavailable, reason `<NAME>_UNAVAILABLE`; a row that somebody else wrote meanwhile too,
    since the next try finds it done. A value the column cannot hold is Invalid. A wrong statement is a bug and stays one.
    """
    reason = f"{name.upper()}_UNAVAILABLE"
    try:
        yield
    except exc.IntegrityError as error:
        raise Unavailable(
            f"the {name}: somebody wrote the same row: {error.orig}", reason="WRITTEN_MEANWHILE"
        ) from error
    except exc.DataError as error:
        raise Invalid(f"the {name} cannot hold the value: {error.orig}") from error
    except exc.TimeoutError as error:
        raise Overloaded(f"the {name}: all connections are in use", reason=reason) from error
    except (exc.OperationalError, exc.InterfaceError, exc.InternalError) as error:
        raise Unavailable(f"the {name} does not answer: {error.orig}", reason=reason) from error
    except exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != INSUFFICIENT_PRIVILEGE:
            raise
        raise Unavailable(f"the {name} refuses its user: {error.orig}", reason=reason) from error
    except OSError as error:
        raise Unavailable(f"the {name} cannot be reached: {error}", reason=reason) from error
