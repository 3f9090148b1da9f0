"""Facts out: the spool says what answers leave behind. Nothing is heard yet."""

from loopline_generation.spool import Spool
from loopline_nats.content import Contents
from loopline_nats.line import Line


async def announce(line: Line, spool: Spool) -> None:
    """Says answer_started and answer_finished, without end."""
    await spool.say(line, Contents(line))
