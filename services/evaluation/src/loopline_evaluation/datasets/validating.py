"""Great Expectations on rows, in a process of its own: `python -m loopline_evaluation.datasets.validating` reads JSON and writes sentences.

Its import takes seconds and 200 MB, which no service should carry for what is asked now and then. Columns: id, question, length (characters of
the question), reference, references (how many), passages (how many), tags, answerable, and each key of the metadata.
"""

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

# What no dataset may break; people's own expectations come on top.
HOUSE: tuple[dict[str, Any], ...] = (
    {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}},
    {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "question"}},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "length", "min_value": 2, "max_value": 8192}},
)
MOST_EXPECTATIONS = 100


def table(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows (the `content` of each) as columns."""
    return [
        {
            **row.get("metadata", {}),
            "id": row["id"],
            "question": row["question"],
            "length": len(row["question"]),
            "reference": next(iter(row.get("references", ())), None),
            "references": len(row.get("references", ())),
            "passages": len(row.get("passages", ())),
            "tags": ";".join(row.get("tags", ())),
            "answerable": row.get("answerable"),
        }
        for row in rows
    ]


def suite_of(text: str) -> list[dict[str, Any]]:
    """`{"expectations": [{"type": ..., "kwargs": {...}}]}`; ValueError says what is wrong with it."""
    try:
        told = json.loads(text)["expectations"] if text.strip() else []
        found = [{"type": one["type"], "kwargs": dict(one.get("kwargs", {}))} for one in told]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f'a suite is JSON like {{"expectations": [{{"type": "...", "kwargs": {{}}}}]}}: {error!r}'
        ) from error
    if len(found) > MOST_EXPECTATIONS:
        raise ValueError(f"{len(found)} expectations; at most {MOST_EXPECTATIONS}")
    return found


def failures(rows: Sequence[Mapping[str, Any]], text: str) -> list[str]:
    """A sentence for each expectation that does not hold, or that is not understood."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from great_expectations.expectations.registry import get_expectation_impl

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    suite = [*HOUSE, *suite_of(text)]
    frame = pd.DataFrame(table(rows))
    for one in suite:
        try:
            # A suite drops what it does not understand without a word; asked one by one, it says what is wrong.
            get_expectation_impl(one["type"])(**one["kwargs"])
        except (GreatExpectationsError, ValueError, TypeError, AttributeError) as error:
            return [f"the suite is not understood: {' '.join(str(error).split())[:300]}"]
        column = one["kwargs"].get("column")
        if isinstance(column, str) and column not in frame.columns:
            frame[column] = None  # metadata that no row has
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("dataset").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    outcome = batch.validate(gx.ExpectationSuite(name="dataset", expectations=suite), result_format="BASIC")
    return [_told(result) for result in outcome.results if not result.success]


def _told(result: Any) -> str:
    config, found = result.expectation_config, result.result or {}
    limits = {key: value for key, value in config.kwargs.items() if key not in ("batch_id", "column")}
    column = f"`{config.kwargs['column']}`: " if "column" in config.kwargs else ""
    wanted = config.type.removeprefix("expect_").replace("_", " ")
    shown = f" ({', '.join(f'{key}={value}' for key, value in limits.items())})" if limits else ""
    if "observed_value" in found:
        return f"expected {column}{wanted}{shown}; found {found['observed_value']}"
    return f"expected {column}{wanted}{shown}; {found.get('unexpected_count', '?')} of {found.get('element_count', '?')} rows do not"


def main() -> None:
    """One JSON object in (rows, suite), one out (failures)."""
    asked = json.load(sys.stdin)
    try:
        said = failures(asked["rows"], asked["suite"])
    except ValueError as error:
        said = [str(error)]
    json.dump({"failures": said}, sys.stdout)


if __name__ == "__main__":
    main()
