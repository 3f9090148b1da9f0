"""A node is drained; the bus is away; its servers change their leaders."""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from pathlib import Path

from loopline_contracts.channels import EMBEDDING_EMBED
from loopline_k8s.control_plane import ControlPlane, until
from loopline_k8s.keda import conditions
from loopline_k8s.manifests import Object, named, of_kind, overlay
from loopline_k8s.scaling import SCALED, Watch, ready, watching
from loopline_nats.line import open_line
from loopline_nats.provisioning import provision
from loopline_nats.settings import Provision
from loopline_runtime.errors import LooplineError, TimedOut
from loopline_runtime.settings import Nats
from loopline_testing.nats import NatsServer, binary, free_port

SCALE = 1 / 256


def test_a_drained_node_leaves_two_of_everything(running: ControlPlane):
    until("all are at rest", lambda: set(ready(running).values()) <= {3, 1})
    with watching(running) as watch:
        began = time.monotonic()
        running.kubectl(
            "drain", "node-000001", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=120s"
        )
        took = time.monotonic() - began
        until("all are back", lambda: {ready(running)[service] for service in SCALED} == {3})
    running.kubectl("uncordon", "node-000001")
    print(
        f"\na node drained in {took:.1f} s; the fewest ready of each: {[watch.fewest(service) for service in SCALED]}"
    )
    assert min(watch.fewest(service) for service in SCALED) >= 2


def test_while_the_bus_is_away_nobody_is_taken_away(running: ControlPlane, bus: NatsServer):
    until("all are at rest", lambda: set(ready(running).values()) <= {3, 1})
    bus.kill()
    try:
        with watching(running) as watch:
            until(
                "KEDA falls back",
                lambda: conditions(running, "loopline-embedding").get("Fallback") == "True",
                within_s=90,
            )
            time.sleep(10)
    finally:
        bus.start()
    until(
        "KEDA sees it again", lambda: conditions(running, "loopline-embedding").get("Fallback") == "False", within_s=90
    )
    assert {service: (watch.fewest(service), watch.most(service)) for service in SCALED} == dict.fromkeys(
        SCALED, (3, 3)
    )


@contextmanager
def three_servers(folder: Path) -> Iterator[tuple[str, str]]:
    """A cluster with a named account, one server an address of loopback, as KEDA expects: the same port on each. Gives both addresses."""
    client, route, monitor = free_port(), free_port(), free_port()
    routes = ", ".join(f'"nats://127.0.0.{number}:{route}"' for number in (1, 2, 3))
    with ExitStack() as running:
        for number in (1, 2, 3):
            own, host = folder / str(number), f"127.0.0.{number}"
            own.mkdir()
            (own / "nats.conf").write_text(
                f"server_name: n{number}\nhost: {host}\nport: {client}\nhttp: {host}:{monitor}\n"
                f"client_advertise: {host}:{client}\n"
                f'jetstream {{ store_dir: "{own}/jetstream" }}\n'
                f"cluster {{ name: loopline, host: {host}, port: {route}, routes: [{routes}] }}\n"
                "accounts { LOOPLINE { jetstream: enabled, users: [{user: service, password: secret}] } }\n"
            )
            with (own / "nats.log").open("wb") as log:
                process = subprocess.Popen([binary(), "-c", str(own / "nats.conf")], stdout=log, stderr=log)
            running.callback(process.wait)
            running.callback(process.terminate)
        yield f"nats://service:secret@127.0.0.1:{client}", f"127.0.0.1:{monitor}"


async def until_laid_out(url: str) -> None:
    async with open_line(Nats(url=url, connect_s=30), "operator") as line:
        for _ in range(60):
            # Until the three have a leader it is refused.
            with suppress(LooplineError):
                await provision(line, Provision(replicas=3, scale=SCALE))
                return
            await asyncio.sleep(1)
        raise TimedOut("three servers did not come together")


async def heaped_while_leaders_change(url: str, plane: ControlPlane) -> Watch:
    stream, durable = EMBEDDING_EMBED.stream, EMBEDDING_EMBED.name
    async with open_line(Nats(url=url, connect_s=30), "operator") as line:
        for number in range(48):
            subject = f"{EMBEDDING_EMBED.replay_subject}.test"
            await line.publish(subject, b"", {"Nats-Msg-Id": str(number)}, stream=stream)
        await asyncio.to_thread(until, "six of embedding", lambda: ready(plane)["embedding"] >= 6)
        with watching(plane) as watch:
            for kind in (f"CONSUMER.LEADER.STEPDOWN.{stream}.{durable}", f"STREAM.LEADER.STEPDOWN.{stream}") * 3:
                answer = json.loads((await line.nats.request(f"$JS.API.{kind}", b"", timeout=10)).data)
                assert answer.get("success"), answer
                await asyncio.sleep(5)
        pull = await line.jetstream.pull_subscribe_bind(durable, stream)
        for message in await pull.fetch(48, timeout=10):
            await message.ack_sync()
    return watch


def test_replicas_hold_while_three_servers_change_their_leaders(
    running: ControlPlane, manifests: list[Object], tmp_path: Path
):
    right = [
        named(manifests, "ConfigMap", "bus-figures"),
        named(manifests, "TriggerAuthentication", "nats"),
        *of_kind(manifests, "ScaledObject"),
    ]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "provision", "namespace": "loopline"}}
    with three_servers(tmp_path) as (url, monitor):
        asyncio.run(until_laid_out(url))
        # As the overlay `secure` says it: the account's name lies in a Secret.
        running.apply([{**secret, "stringData": {"account": "LOOPLINE"}}])
        for found in deepcopy(right):
            if found["kind"] == "ConfigMap":
                found["data"] = {"endpoint": monitor}
            elif found["kind"] == "TriggerAuthentication":
                found = named(overlay("secure"), "TriggerAuthentication", "nats")
            else:
                # A change of its own, or KEDA keeps the scaler it has.
                found["spec"]["pollingInterval"] = 2
            running.apply([found])
        watch = asyncio.run(heaped_while_leaders_change(url, running))
        until("embedding is back", lambda: ready(running)["embedding"] == 3)
    running.apply(right)
    fewest, most = watch.fewest("embedding"), watch.most("embedding")
    print(f"\nsix changes of leader: never fewer than {fewest}, never more than {most} of embedding ready")
    assert (fewest, most) == (6, 6)
