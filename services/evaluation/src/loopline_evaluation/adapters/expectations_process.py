"""Great Expectations in a process of its own, started when it is asked and gone afterwards."""

import asyncio
import json
import sys
from collections.abc import Sequence

from loopline_evaluation.datasets.rows import Row, content
from loopline_runtime.errors import TimedOut, Unavailable

TIMEOUT_S = 120.0


class ExpectationsProcess:
    """The port `Expectations`."""

    async def failures(self, rows: Sequence[Row], suite: str) -> list[str]:
        """See the port."""
        asked = json.dumps({"rows": [content(row) for row in rows], "suite": suite}).encode()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "loopline_evaluation.datasets.validating",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"GX_ANALYTICS_ENABLED": "false", "PYTHONWARNINGS": "ignore"},
        )
        try:
            said, wrong = await asyncio.wait_for(process.communicate(asked), TIMEOUT_S)
        except TimeoutError as error:
            raise TimedOut(f"validating {len(rows)} rows took more than {TIMEOUT_S:.0f} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise Unavailable(f"Great Expectations failed: {wrong.decode(errors='replace').strip()[-300:]}")
        failures: list[str] = json.loads(said)["failures"]
        return failures
