"""What cannot be made again, in files: streams of truth and their buckets as JetStream's own snapshots.

Derived streams are left out on purpose: after a restore durables begin at the first fact, and the index and the ledger are made anew.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.msg import Msg

from loopline_contracts.streams import STREAMS, Bucket, Kept
from loopline_nats.foreign import translated
from loopline_nats.line import Line
from loopline_runtime.errors import Conflict, NotFound, Rejected, Unavailable

PART = 128 * 1024
WITHIN_S = 30.0
DERIVED = {Bucket.RETRIEVAL_DOCUMENTS, Bucket.ATTEMPTS}
TRUTH = (
    *(stream.name for stream in STREAMS if stream.kept is Kept.TRUTH),
    *(f"{'OBJ' if bucket is Bucket.UPLOADS else 'KV'}_{bucket}" for bucket in Bucket if bucket not in DERIVED),
)


@dataclass(frozen=True, slots=True)
class Saved:
    """One stream in a folder: NAME.json (configuration and state), NAME.snapshot."""

    name: str
    messages: int
    size_bytes: int


async def save(line: Line, folder: Path) -> AsyncIterator[Saved]:
    """Writes every stream of truth; each is whole as of its moment. Conflict when the folder holds a backup already."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("*.json")):
        raise Conflict(f"{folder} holds a backup already; name another folder")
    for name in TRUTH:
        yield await _save_one(line, folder, name)


async def _save_one(line: Line, folder: Path, name: str) -> Saved:
    client, inbox = line.nats, line.nats.new_inbox()
    with translated(f"saving {name}"):
        parts = await client.subscribe(inbox)
        wanted = {"deliver_subject": inbox, "no_consumers": True, "chunk_size": PART}
        told = _answer(await client.request(f"$JS.API.STREAM.SNAPSHOT.{name}", json.dumps(wanted).encode(), WITHIN_S))
        size = 0
        with (folder / f"{name}.snapshot").open("wb") as file:
            while (part := await parts.next_msg(WITHIN_S)).data:
                size += file.write(part.data)
                if part.reply:
                    await client.publish(part.reply)
        await parts.unsubscribe()
    if part.headers and part.headers.get("Description"):
        raise Unavailable(f"saving {name}: {part.headers['Description']}")
    # Last, so that a stream without it is known to be torn.
    (folder / f"{name}.json").write_text(json.dumps({"config": told["config"], "state": told["state"]}))
    return Saved(name, told["state"]["messages"], size)


async def restore(line: Line, folder: Path) -> AsyncIterator[Saved]:
    """Makes the saved streams on a bus that has none of them yet: before anything is provisioned.

    NotFound when the folder holds no backup, Rejected when it is torn, Conflict when a stream is there already.
    """
    names = [name for name in TRUTH if (folder / f"{name}.snapshot").exists()]
    if not names:
        raise NotFound(f"{folder} holds no backup")
    torn = [name for name in names if not (folder / f"{name}.json").exists()]
    if torn:
        raise Rejected(f"the backup of {', '.join(torn)} is torn; take another")
    present = {info.config.name for info in await _streams(line)}
    if present & set(names):
        there = ", ".join(sorted(present & set(names)))
        raise Conflict(f"{there}: there already; restore to an empty bus, before `loopline streams apply`")
    for name in names:
        yield await _restore_one(line, folder, name)


async def _streams(line: Line) -> list[Any]:
    with translated("reading the streams"):
        return await line.jetstream.streams_info()


async def _restore_one(line: Line, folder: Path, name: str) -> Saved:
    told, size = json.loads((folder / f"{name}.json").read_text()), 0
    with translated(f"restoring {name}"):
        given = json.dumps(told).encode()
        subject = _answer(await line.nats.request(f"$JS.API.STREAM.RESTORE.{name}", given, WITHIN_S))["deliver_subject"]
        with (folder / f"{name}.snapshot").open("rb") as file:
            while part := file.read(PART):
                size += len(part)
                _answer(await line.nats.request(subject, part, WITHIN_S))
        done = _answer(await line.nats.request(subject, b"", WITHIN_S * 4))
    return Saved(name, done["state"]["messages"], size)


def _answer(message: Msg) -> dict[str, Any]:
    """Of the server, or Unavailable with its words."""
    told: dict[str, Any] = json.loads(message.data or b"{}")
    if "error" in told:
        raise Unavailable(str(told["error"].get("description", told["error"])))
    return told
