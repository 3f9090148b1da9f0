"""What the protos say of each rpc: the right it asks for, and whether it may be sent twice."""

from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from loopline.access.v1 import rights_pb2
from loopline_runtime.access import Right

_RIGHTS = {
    rights_pb2.RIGHT_READ: Right.READ,
    rights_pb2.RIGHT_WRITE: Right.WRITE,
    rights_pb2.RIGHT_ADMIN: Right.ADMIN,
}


@dataclass(frozen=True)
class Method:
    """One rpc. `right` is None where the proto states none; `safe`: repeating it does no harm."""

    service: str
    name: str
    right: Right | None
    safe: bool


@cache
def methods_of(service: str) -> dict[str, Method]:
    """The rpcs of a service by their path (`/loopline.x.v1.XService/Do`); empty when no imported proto knows it."""
    try:
        described = rights_pb2.DESCRIPTOR.pool.FindServiceByName(service)
    except KeyError:
        return {}
    return {f"/{service}/{method.name}": _read(service, method) for method in described.methods}


def method_at(path: str) -> Method:
    """The rpc with this path; one without right and not safe to repeat when no imported proto knows it."""
    service, _, name = path.removeprefix("/").rpartition("/")
    return methods_of(service).get(path) or Method(service, name, right=None, safe=False)


def _read(service: str, method: MethodDescriptor) -> Method:
    options = method.GetOptions()
    return Method(
        service=service,
        name=method.name,
        right=_RIGHTS.get(options.Extensions[rights_pb2.right]),
        safe=options.idempotency_level in (MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT),
    )
