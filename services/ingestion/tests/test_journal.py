"""The journal of erasures: what it was told is read again, whoever wrote beside it."""

from datetime import UTC, datetime
from pathlib import Path

from loopline_ingestion.adapters import journal_file
from loopline_ingestion.adapters.journal_file import JournalFile
from loopline_ingestion.receipts import Order


def order(number: int) -> Order:
    """An order like many."""
    return Order("acme", f"document-{number}", "manuals", number, datetime(2026, 1, 1, tzinfo=UTC), "asked for")


async def test_orders_are_read_again_in_the_next_life(tmp_path: Path) -> None:
    """Repeats are kept once."""
    journal = JournalFile(tmp_path / "kept" / "journal")
    for number in (1, 2, 1):
        await journal.add(order(number))
    assert await JournalFile(tmp_path / "kept" / "journal").orders() == [order(1), order(2)]


async def test_two_first_orders_at_once_do_not_share_a_line(tmp_path: Path) -> None:
    """Both open the file while it is empty."""
    path = tmp_path / "journal"
    first, second = path.open("a"), path.open("a")
    for file, number in ((first, 1), (second, 2)):
        with file:
            file.write(journal_file.line_of(order(number)))
    assert await JournalFile(path).orders() == [order(1), order(2)]


async def test_a_line_cut_by_a_crash_was_never_promised_and_harms_no_other(tmp_path: Path) -> None:
    """The next order begins a line of its own."""
    path = tmp_path / "journal"
    await JournalFile(path).add(order(1))
    with path.open("a") as file:
        file.write('\n{"tenant": "acme", "docu')
    await JournalFile(path).add(order(2))
    assert await JournalFile(path).orders() == [order(1), order(2)]
