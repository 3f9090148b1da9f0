"""A stream that was restored or made anew ends before revisions that others have seen; it is moved past them, keeping all it holds."""

import asyncio
import logging

from loopline_contracts.streams import SKIPPED
from loopline_nats.foreign import translated
from loopline_nats.line import Line
from loopline_runtime.errors import Rejected

log = logging.getLogger(__name__)
AT_ONCE = 200
# A longer gap is a mistake (another server, say) rather than a restore.
MOST = 1_000_000


async def move_past(line: Line, stream: str, seen: int, who: str) -> int:
    """Moves the stream's next sequence past `seen`, the highest that `who` has seen; returns how many were skipped.

    An empty stream is moved at once; else placeholders are said that nobody hears, and removed. Rejected when the gap is too wide.
    """
    with translated(f"stream {stream}"):
        state = (await line.jetstream.stream_info(stream)).state
        missing = seen - state.last_seq
        if missing <= 0:
            return 0
        if missing > MOST:
            raise Rejected(
                f"{who} has seen revision {seen}, but stream {stream} ends at {state.last_seq}: is this its server? "
                "Restore the stream, or start with an empty store, which is rebuilt from it",
                reason="STREAM_BEHIND",
            )
        if state.messages == 0:
            await line.jetstream.purge_stream(stream, seq=seen + 1)
        else:
            await _fill(line, stream, missing)
    log.warning(
        "%s has seen revision %d, but stream %s ended at %d: it was restored or made anew, and is moved past it; "
        "what was accepted in between must be submitted again",
        who,
        seen,
        stream,
        state.last_seq,
    )
    return missing


async def _fill(line: Line, stream: str, missing: int) -> None:
    subject = f"{SKIPPED}.{stream}"
    for start in range(0, missing, AT_ONCE):
        count = min(AT_ONCE, missing - start)
        await asyncio.gather(*(line.publish(subject, b"", {}, stream=stream) for _ in range(count)))
    await line.jetstream.purge_stream(stream, subject=subject)
