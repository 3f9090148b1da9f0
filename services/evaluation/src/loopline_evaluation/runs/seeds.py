"""A seed for each trial of each row, from the run's: the same run again asks the same, and two trials do not."""

import hashlib


def seed_of(seed: int, row_id: str, trial: int) -> int:
    """31 bits, as every model server takes them."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{row_id}/{trial}".encode()).digest()[:4]) >> 1
