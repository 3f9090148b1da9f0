"""The command `loopline-provision`: streams, durables, buckets and the first keys, before any service starts. Safe to run again."""

import sys

from loopline_nats.access import KeyRing
from loopline_nats.line import Line, open_line
from loopline_nats.provision import apply
from loopline_nats.settings import Provision, ProvisionSettings
from loopline_runtime.access import Right
from loopline_runtime.lifecycle import run


async def provision(line: Line, wanted: Provision) -> list[str]:
    """Makes what is missing; a sentence for each thing made, and for each that an operator set otherwise."""
    told = [
        f"{one.action} {one.kind} {one.name} {one.field}: {one.wanted} (is {one.found})"
        for one in await apply(line, replicas=wanted.replicas, scale=wanted.scale)
    ]
    ring = KeyRing(line)
    keys = (
        ("service", "system", wanted.service_key, (Right.ACT_FOR, Right.READ)),
        ("admin", "local", wanted.admin_key, (Right.ADMIN,)),
    )
    for name, tenant, secret, rights in keys:
        plain = secret.get_secret_value()
        if plain and await ring.admit(plain, name, tenant, rights):
            told.append(f"create key {name} of tenant {tenant}")
    return told


async def _main() -> None:
    settings = ProvisionSettings()
    async with open_line(settings.nats, "operator") as line:
        for sentence in await provision(line, settings.provision):
            sys.stdout.write(f"{sentence}\n")
    sys.stdout.write("everything that services need is there\n")


def main() -> None:
    """Exit status 0 when all is there, 1 with one line when the bus refused, 2 when a setting is wrong."""
    run(_main)


if __name__ == "__main__":
    main()
