"""Cause: seeded stories with five version events, one of which moves its signals; how often the true one is ranked first."""

import argparse
import sys
from pathlib import Path

from interleaved import report

sys.path.append(str(Path(__file__).parents[2] / "services/monitoring/tests/detection"))
from planted_causes import true_first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    found = sum(true_first(seed) for seed in range(options.runs))
    report("drift: the true cause ranks first among five versions", ">= 90 %", share=f"{found} of {options.runs}")


if __name__ == "__main__":
    main()
