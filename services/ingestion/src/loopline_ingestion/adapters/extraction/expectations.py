"""Great Expectations: one run a document, its passages are the rows.

Columns: text, length (characters), ordinal, page, headings, start, end, printable_share (0 to 1), unique_share (passages of the document
that are not repeats of another, 0 to 1), and one per key of the document's metadata (empty when it is not set).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.expectations.registry import get_expectation_impl

from loopline_ingestion.model import Cut, Reason
from loopline_runtime.errors import Invalid

MOST_EXPECTATIONS = 100
# The default suite: what is nearly no text, or mostly repeats, would only spoil the index.
DEFAULT: tuple[dict[str, Any], ...] = (
    {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}},
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "text"}},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "length", "min_value": 1, "max_value": 16_384}},
    {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "printable_share", "min_value": 0.8, "mostly": 0.9},
    },
    {"type": "expect_column_min_to_be_between", "kwargs": {"column": "unique_share", "min_value": 0.2}},
    {"type": "expect_column_pair_values_a_to_be_greater_than_b", "kwargs": {"column_A": "end", "column_B": "start"}},
)


def quiet() -> None:
    """Switches off what Great Expectations prints while it runs."""
    logging.getLogger("great_expectations").setLevel(logging.ERROR)


def suite_of(expectations_json: str) -> list[dict[str, Any]]:
    """A collection's own suite: `{"expectations": [{"type": ..., "kwargs": {...}}]}`. Invalid says what is wrong with it."""
    try:
        suite = json.loads(expectations_json) if expectations_json.strip() else {"expectations": []}
        expectations = suite["expectations"]
        found = [{"type": one["type"], "kwargs": dict(one.get("kwargs", {}))} for one in expectations]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(
            f'a suite is JSON like {{"expectations": [{{"type": "...", "kwargs": {{}}}}]}}: {error}',
            field="settings.expectations_json",
        ) from error
    if len(found) > MOST_EXPECTATIONS:
        raise Invalid(f"{len(found)} expectations; at most {MOST_EXPECTATIONS}", field="settings.expectations_json")
    return found


class Expectations:
    """One context, used again for every document."""

    def __init__(self) -> None:
        quiet()
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("documents").add_dataframe_asset("passages")
        self._rows = asset.add_batch_definition_whole_dataframe("all")

    def check_suite(self, expectations_json: str) -> None:
        """Invalid when an expectation is unknown or its arguments are."""
        self._built(suite_of(expectations_json))

    def failures(self, cuts: Sequence[Cut], metadata: Mapping[str, str], expectations_json: str) -> list[Reason]:
        """A reason per failed expectation; empty when all hold."""
        own = suite_of(expectations_json)
        rows = _rows(cuts, metadata)
        for expectation in own:
            column = expectation["kwargs"].get("column")
            if isinstance(column, str) and column not in rows.columns:
                rows[column] = None  # metadata that is not set
        batch = self._rows.get_batch(batch_parameters={"dataframe": rows})
        outcome = batch.validate(self._built([*DEFAULT, *own]), result_format="BASIC")
        return [_reason(result) for result in outcome.results if not result.success]

    def _built(self, expectations: Sequence[dict[str, Any]]) -> gx.ExpectationSuite:
        try:
            for expectation in expectations:
                # A suite drops what it does not understand without a word; asked one by one, it says what is wrong.
                get_expectation_impl(expectation["type"])(**expectation["kwargs"])
            return gx.ExpectationSuite(name="document", expectations=list(expectations))
        except (GreatExpectationsError, ValueError, TypeError, AttributeError) as error:
            told = " ".join(str(error).split())[:300]
            raise Invalid(f"the suite is not understood: {told}", field="settings.expectations_json") from error


def _rows(cuts: Sequence[Cut], metadata: Mapping[str, str]) -> pd.DataFrame:
    texts = [cut.text for cut in cuts]
    share = len(set(texts)) / len(texts) if texts else 1.0
    columns: dict[str, Any] = {
        "text": texts,
        "length": [len(text) for text in texts],
        "ordinal": [cut.ordinal for cut in cuts],
        "page": [cut.place.page for cut in cuts],
        "headings": [" > ".join(cut.place.headings) for cut in cuts],
        "start": [cut.place.start for cut in cuts],
        "end": [cut.place.end for cut in cuts],
        "printable_share": [_printable(text) for text in texts],
        "unique_share": [share] * len(texts),
    }
    for key, value in metadata.items():
        columns.setdefault(key, [value or None] * len(texts))
    return pd.DataFrame(columns)


def _printable(text: str) -> float:
    good = sum(letter.isprintable() or letter.isspace() for letter in text) - text.count("\ufffd")
    return good / max(len(text), 1)


def _reason(result: Any) -> Reason:
    """A sentence: what was expected of which column, and how many passages did not meet it."""
    config = result.expectation_config
    kwargs = {key: value for key, value in config.kwargs.items() if key not in ("batch_id", "column")}
    column = config.kwargs.get("column", "")
    wanted = f"{config.type.removeprefix('expect_').replace('_', ' ')}"
    subject = f"`{column}`: " if column else ""
    limits = f" ({', '.join(f'{key}={value}' for key, value in kwargs.items())})" if kwargs else ""
    found = result.result or {}
    if "observed_value" in found:
        seen = f"; found {found['observed_value']}"
    elif "unexpected_count" in found:
        seen = f"; {found['unexpected_count']} of {found.get('element_count', '?')} passages do not"
    else:
        seen = "; it could not be evaluated"
    return Reason("EXPECTATION", f"expected {subject}{wanted}{limits}{seen}")
