"""The journal as lines of JSON in a file; keep it apart from what is restored."""

import asyncio
import json
import os
from datetime import datetime
from pathlib import Path

from loopline_ingestion.receipts import Order
from loopline_runtime.errors import Unavailable


class JournalFile:
    """The port `Journal`; without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept: dict[str, Order] = {}
        if path and path.exists():
            # A line that was cut by a crash was never acknowledged.
            for line in path.read_text().splitlines():
                if line.endswith("}"):
                    order = _order(line)
                    self._kept[order.receipt_id] = order

    async def add(self, order: Order) -> None:
        """See the port."""
        if self._path and order.receipt_id not in self._kept:
            await asyncio.to_thread(_append, self._path, order)
            self._kept[order.receipt_id] = order

    async def orders(self) -> list[Order]:
        """See the port."""
        return list(self._kept.values())


def line_of(order: Order) -> str:
    """What is written of an order, in one write: its own line ends keep it from running into a line cut by a crash."""
    told = {name: getattr(order, name) for name in ("tenant", "document_id", "collection", "revision", "reason")}
    return f"\n{json.dumps({**told, 'ordered_at': order.ordered_at.isoformat()})}\n"


def _append(path: Path, order: Order) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(line_of(order))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Unavailable(
            f"the journal of erasures cannot be written: {error}", reason="JOURNAL_UNAVAILABLE"
        ) from error


def _order(line: str) -> Order:
    told = json.loads(line)
    return Order(**{**told, "ordered_at": datetime.fromisoformat(told["ordered_at"])})
