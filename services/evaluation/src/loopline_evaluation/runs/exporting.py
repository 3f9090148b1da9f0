"""All of a run as a table: a line a unit, with its answer, scores, what made it, and what it cost."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from loopline_evaluation.runs.model import Unit, spent
from loopline_evaluation.runs.results import Results
from loopline_runtime.errors import Invalid


def table(results: Results, units: Sequence[Unit]) -> list[dict[str, Any]]:
    """One dictionary a unit, all with the same keys. A missing score is None; why stands in `missing`, by metric."""
    run, spec = results.run, results.run.spec
    kinds = sorted(results.made)
    lines = []
    for unit in units:
        row = results.rows.get(unit.row_id)
        if row is None or unit.reply is None:
            continue
        scores = {score.metric: score for score in unit.scores}
        answer, cost = unit.reply.answer, spent(unit)
        judges = {
            " ".join(filter(None, (score.evaluator.name, score.evaluator.version, score.evaluator.model)))
            for score in unit.scores
        }
        lines.append(
            {
                "run_id": run.run_id,
                "dataset": spec.dataset,
                "dataset_hash": spec.version,
                "target": str(spec.target),
                "seed": spec.seed,
                "row_id": row.id,
                "trial": unit.trial,
                "question": row.question,
                "reference": next(iter(row.references), None),
                "answer": answer.text,
                "passages": [passage.text for passage in answer.passages],
                "tags": list(row.tags),
                "outcome": answer.outcome.value,
                "error": unit.reply.error or None,
                "answer_id": answer.answer_id or None,
                **{metric: scores[metric].value if metric in scores else None for metric in spec.metrics},
                "missing": json.dumps(
                    {name: score.missing.reason for name, score in scores.items() if score.missing}, sort_keys=True
                ),
                "judges": sorted(judges),
                **{f"made_by_{kind}": unit.reply.made.get(kind) for kind in kinds},
                "seconds": answer.total_ms / 1000,
                "prompt_tokens": cost.prompt_tokens,
                "completion_tokens": cost.completion_tokens,
                "money": cost.money,
            }
        )
    return lines


def exported(results: Results, units: Sequence[Unit], form: str) -> bytes:
    """As parquet, jsonl or csv."""
    lines = table(results, units)
    match form:
        case "jsonl":
            return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        case "csv":
            return _csv(lines)
        case "parquet":
            return _parquet(lines, results)
        case _:
            raise Invalid(f"a run is exported as parquet, jsonl or csv, not {form[:40]!r}", field="format")


def _csv(lines: Sequence[dict[str, Any]]) -> bytes:
    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, list(lines[0]) if lines else ["row_id"])
    writer.writeheader()
    for line in lines:
        writer.writerow({key: json.dumps(value) if isinstance(value, list) else value for key, value in line.items()})
    return sheet.getvalue().encode()


def _parquet(lines: Sequence[dict[str, Any]], results: Results) -> bytes:
    import pyarrow as arrow
    from pyarrow import parquet

    numbers = {name: arrow.float64() for name in (*results.run.spec.metrics, "seconds", "money")}
    whole = {name: arrow.int64() for name in ("trial", "prompt_tokens", "completion_tokens", "seed")}
    texts = {name: arrow.list_(arrow.string()) for name in ("passages", "tags", "judges")}
    kinds = {**numbers, **whole, **texts}
    schema = arrow.schema(
        [(name, kinds.get(name, arrow.string())) for name in (lines[0] if lines else {"row_id": None})]
    )
    sink = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(list(lines), schema=schema), sink)
    return sink.getvalue()
