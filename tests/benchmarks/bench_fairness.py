"""Until a tenant's one document is found by Search: alone, against beside another tenant's 5,000 that are in work. Before, during and after."""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from interleaved import report, spread

from loopline_client import Loopline
from loopline_client.settings import ClientSettings
from loopline_runtime.errors import NotFound, Overloaded
from loopline_testing.line import LocalLine

CROWD, AT_ONCE, IDLE, LOOK_S = 5000, 32, 7, 0.01
SENTENCE = "The keeper of harbour {0} writes that the boat {0} left at {1} with crates of oranges for captain {1}. "


def document(tag: str) -> bytes:
    """One passage of some 150 tokens."""
    return "".join(SENTENCE.format(tag, number) for number in range(6)).encode()


async def found_after(line: Loopline, tag: str) -> float:
    """Seconds from the upload until Search finds it."""
    began = time.perf_counter()
    said = await line.submit(f"{tag}.md", document(tag), collection="small")
    while True:
        try:
            passages = await line.search(f"harbour {tag}", collections=["small"], k=50)
        except NotFound:
            passages = []
        if any(passage.document_id == said.document_id for passage in passages):
            return time.perf_counter() - began
        await asyncio.sleep(LOOK_S)


async def upload(line: Loopline, count: int) -> list[str]:
    """All the crowd's documents, as a patient client sends them."""
    ids, numbers = [], iter(range(count))

    async def sender() -> None:
        for number in numbers:
            while True:
                try:
                    said = await line.submit(f"{number}.md", document(f"crowd{number}"), collection="large")
                except Overloaded:
                    await asyncio.sleep(0.1)
                    continue
                ids.append(said.document_id)
                break

    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    return ids


async def searchable(line: Loopline) -> int:
    """How many of the crowd are."""
    return sum([1 async for _ in line.documents(collection="large", states=["indexed"])])


async def measure(home: Path, keys: dict[str, str], count: int, most_s: float) -> None:
    profile = ClientSettings(home=home).profile()
    async with (
        Loopline(profile.model_copy(update={"key": keys["small"]})) as small,
        Loopline(profile.model_copy(update={"key": keys["large"]}), timeout_s=120) as large,
    ):
        await found_after(small, "warm")
        idle = [await found_after(small, f"before{n}") for n in range(IDLE)]
        began = time.perf_counter()
        uploading = asyncio.create_task(upload(large, count))
        beside: list[float] = []
        uploaded_s, left, uploading_samples = 0.0, count, 0
        await asyncio.sleep(2)
        while left and time.perf_counter() - began < most_s:
            if uploading.done() and not uploaded_s:
                uploaded_s, uploading_samples = time.perf_counter() - began, len(beside)
            beside.append(await found_after(small, f"beside{len(beside)}"))
            if len(beside) % 5 == 0:
                left = count - await searchable(large)
            await asyncio.sleep(0.5)
        took = time.perf_counter() - began
        uploading.cancel()
        if not left:
            idle += [await found_after(small, f"after{n}") for n in range(IDLE)]
    report(
        f"searchable beside {count} documents / alone",
        "<= 3",
        ratio=f"{statistics.median(beside) / statistics.median(idle):.2f}",
        idle_s=spread(idle),
        beside_s=spread(beside),
        beside_p99_s=f"{sorted(beside)[int(len(beside) * 0.99)]:.2f}",
        while_uploading_s=spread(beside[:uploading_samples] or beside),
        samples=str(len(beside)),
        uploaded_s=f"{uploaded_s:.0f}",
        measured_s=f"{took:.0f}",
        not_yet_searchable=str(left),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=CROWD)
    parser.add_argument("--secure", action="store_true", help="Over TLS and with credentials")
    parser.add_argument("--most-s", type=float, default=1800, help="Measure no longer, though documents wait still")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        line = LocalLine(Path(folder))
        line.up("--engine", "quote", *(["--secure"] if options.secure else []))
        try:
            keys = {
                name: line.command("keys", "add", name, "--tenant", name, "--rights", "write").stdout.strip()
                for name in ("small", "large")
            }
            asyncio.run(measure(line.home, keys, options.documents, options.most_s))
        finally:
            line.down()


if __name__ == "__main__":
    main()
