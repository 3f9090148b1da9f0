"""Who calls: from the key in a call's metadata to `caller()` inside the servicer.

`authorization: Bearer <key>` names the caller. A service's key with the right act-for may add `loopline-tenant`, the
tenant it works for. With open access everybody is the tenant `local`.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from loopline_runtime.access import TENANT_PATTERN, Caller, Keys, Right, hash_of
from loopline_runtime.errors import Forbidden, Invalid, Unauthenticated

AUTHORIZATION = "authorization"
TENANT = "loopline-tenant"

# Who everybody is when access is open.
OPEN_CALLER = Caller(tenant="local", rights=frozenset({Right.ADMIN}), key_name="open")

_caller: ContextVar[Caller | None] = ContextVar("loopline_caller", default=None)
_tenant: ContextVar[str] = ContextVar("loopline_tenant", default="")


def caller() -> Caller:
    """Who made the call being served. RuntimeError outside of one."""
    found = _caller.get()
    if found is None:
        raise RuntimeError("there is no caller outside of a call")
    return found


@contextmanager
def called_by(who: Caller) -> Iterator[None]:
    """Makes `who` the caller for the block (the server does; tests of servicers may)."""
    token = _caller.set(who)
    try:
        yield
    finally:
        _caller.reset(token)


@contextmanager
def acting_for(tenant: str) -> Iterator[None]:
    """Calls made in the block name this tenant: for handlers of events, which have no caller."""
    token = _tenant.set(tenant)
    try:
        yield
    finally:
        _tenant.reset(token)


def acted_for() -> str:
    """The tenant on whose behalf we work: of `acting_for`, else of the caller; "" when there is neither."""
    found = _caller.get()
    return _tenant.get() or (found.tenant if found else "")


def identify(keys: Keys | None, metadata: Mapping[str, str | bytes]) -> Caller:
    """The caller this metadata proves.

    Unauthenticated without a known key; Forbidden for a tenant named without the right act-for; Invalid for a name that
    no tenant can have.
    """
    if keys is None:
        return OPEN_CALLER
    scheme, _, presented = _text(metadata, AUTHORIZATION).partition(" ")
    if scheme.lower() != "bearer" or not presented:
        raise Unauthenticated("this call needs an API key: authorization: Bearer <key>", reason="KEY_MISSING")
    key = keys.find(hash_of(presented.strip()))
    if key is None:
        raise Unauthenticated("this API key is not known, or was revoked", reason="KEY_UNKNOWN")
    named = _text(metadata, TENANT)
    if not named:
        return Caller(tenant=key.tenant, rights=key.rights, key_name=key.name)
    if not key.allows(Right.ACT_FOR):
        raise Forbidden(f"the key {key.name} may not act for another tenant", reason="ACT_FOR_MISSING")
    if not re.fullmatch(TENANT_PATTERN, named):
        raise Invalid(f"a tenant's name matches {TENANT_PATTERN}", field=TENANT, reason="TENANT_MALFORMED")
    return Caller(tenant=named, rights=key.rights, key_name=key.name)


def demand(who: Caller, right: Right) -> None:
    """Forbidden unless the caller holds the right, or one that includes it."""
    if not who.allows(right):
        raise Forbidden(
            f"this call needs the right {right.value}; the key {who.key_name} lacks it", reason="RIGHT_MISSING"
        )


def demand_keys_beyond_loopback(host: str, keys: Keys | None) -> None:
    """Invalid when a door would open beyond this machine without keys."""
    if keys is None and not _is_loopback(host):
        raise Invalid(
            f"GRPC__HOST={host} opens the door beyond this machine: set ACCESS__MODE=keys, or GRPC__HOST=127.0.0.1",
            field="GRPC__HOST",
            reason="OPEN_BEYOND_LOOPBACK",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _text(metadata: Mapping[str, str | bytes], name: str) -> str:
    value = metadata.get(name, "")
    return value if isinstance(value, str) else ""
