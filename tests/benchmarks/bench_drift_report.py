"""A report over 100,000 rows x 20 columns, against scipy's bare statistics and against Evidently's report with the same tests.

Evidently lives in an environment of its own, made under .cache when it is not there; its import is not counted, nor is anybody's reading of
files. We are given text, as a CSV file has it; scipy is given arrays, Evidently a data frame. Interleaved with
scipy; all by CPU time, since the machine is shared.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from interleaved import report, spread
from scipy.stats import chi2_contingency, ks_2samp

from loopline_monitoring.report.comparing import compare_tables
from loopline_monitoring.report.page import render
from loopline_monitoring.report.tables import Table, read

ROOT = Path(__file__).parents[2]
APART = ROOT / ".cache/bench-evidently"
NUMBERS, NAMES = 14, 6
EVIDENTLY = """
import json, sys, time
import pandas
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
before, after = (pandas.read_csv(path) for path in sys.argv[1:3])
times = []
for _ in range(int(sys.argv[4])):
    began = time.process_time()
    report = Report([DataDriftPreset(num_method="ks", cat_method="chisquare")])
    report.run(after, before).save_html(sys.argv[3])
    times.append(time.process_time() - began)
print(json.dumps(times))
"""


def tables(rows: int) -> tuple[Table, Table]:
    """Half of the columns move a little."""
    rng = np.random.default_rng(1)
    made: tuple[Table, Table] = ({}, {})
    for number in range(NUMBERS):
        for side, table in enumerate(made):
            values = rng.normal(0.2 * side * (number % 2), 1, rows) if number % 3 else rng.lognormal(size=rows)
            table[f"number {number}"] = [f"{value:.6f}" for value in values]
    for number in range(NAMES):
        shares = rng.dirichlet(np.full(12, 3.0))
        for table in made:
            table[f"name {number}"] = [f"name {name}" for name in rng.choice(12, rows, p=shares)]
    return made


def arrays(table: Table) -> dict[str, np.ndarray | list[str]]:
    return {name: np.array(cells, float) if name.startswith("number") else cells for name, cells in table.items()}


def bare(before: dict[str, np.ndarray | list[str]], after: dict[str, np.ndarray | list[str]]) -> None:
    """The statistics and nothing else."""
    for name, cells in before.items():
        if name.startswith("number"):
            ks_2samp(cells, after[name])
        else:
            counts = Counter(cells), Counter(after[name])
            names = sorted({*counts[0], *counts[1]})
            chi2_contingency([[side[name] for name in names] for side in counts])


def evidently(folder: Path, rounds: int) -> list[float]:
    """Seconds of each round; empty when the environment cannot be made."""
    python = APART / "bin/python"
    uv = shutil.which("uv") or str(ROOT / ".cache/uv-venv/bin/uv")
    try:
        if not python.exists():
            subprocess.run([uv, "venv", "-q", "--python", sys.executable, APART], check=True)
            subprocess.run([uv, "pip", "install", "-q", "--python", python, "evidently==0.7.*", "pandas<3"], check=True)
        command = [
            python,
            "-W",
            "ignore",
            "-c",
            EVIDENTLY,
            folder / "a.csv",
            folder / "b.csv",
            folder / "e.html",
            str(rounds),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except (subprocess.CalledProcessError, OSError) as error:
        sys.stdout.write(f"bench_drift_report: Evidently NOT RUN, {error}\n{getattr(error, 'stderr', '') or ''}\n")
        return []
    return list(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    before, after = tables(options.rows)
    held = arrays(before), arrays(after)
    ours, ratios, reading = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, table in (("a.csv", before), ("b.csv", after)):
            with (folder / file).open("w", newline="") as out:
                writer = csv.writer(out)
                writer.writerow(table)
                writer.writerows(zip(*table.values(), strict=True))
        theirs = evidently(folder, 2)
        for _ in range(options.rounds):
            began = time.process_time()
            (folder / "ours.html").write_text(render(compare_tables(before, after)))
            middle = time.process_time()
            bare(*held)
            ours.append(middle - began)
            ratios.append((middle - began) / (time.process_time() - middle))
            began = time.process_time()
            read(folder / "a.csv")
            reading.append(time.process_time() - began)
        size = (folder / "ours.html").stat().st_size
    report(
        f"drift: report over {options.rows:,} rows x {NUMBERS + NAMES} columns / scipy's bare statistics",
        "<= 2",
        ratio=spread(ratios),
        cpu_s=spread(ours),
        reading_one_file_cpu_s=spread(reading),
        page_kb=f"{size / 1024:.0f}",
    )
    if theirs:
        faster = [one / sorted(ours)[len(ours) // 2] for one in theirs]
        report(
            "drift: Evidently's report with the same tests / ours",
            ">= 8",
            ratio=spread(faster, 1),
            cpu_s=spread(theirs),
        )


if __name__ == "__main__":
    main()
