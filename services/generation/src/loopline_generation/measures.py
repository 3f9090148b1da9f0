"""What answers cost and how long they made people wait, for the metrics page."""

from prometheus_client import Counter, Histogram

from loopline_generation.model import Outcome, Record
from loopline_runtime import names

FIRST_TOKEN = Histogram(names.FIRST_TOKEN_SECONDS, "From the question to the first word", buckets=names.SECONDS_BUCKETS)
TOKENS = Counter(names.ANSWER_TOKENS_TOTAL, "Tokens read and written by the model", ["model", "kind"])
COST = Counter(names.ANSWER_COST_TOTAL, "Cost of answers, in the currency of the prices", ["model"])
ANSWERS = Counter(names.ANSWERS_TOTAL, "Answers that ended", ["outcome", "abstained"])


def note(record: Record) -> None:
    """Counts an answer that has ended."""
    ANSWERS.labels(record.outcome or Outcome.FAILED, str(record.verdicts.abstained).lower()).inc()
    if record.timings.first_token_ms:
        FIRST_TOKEN.observe(record.timings.first_token_ms / 1000)
    model = record.versions.model
    TOKENS.labels(model, "prompt").inc(record.usage.prompt_tokens)
    TOKENS.labels(model, "completion").inc(record.usage.completion_tokens)
    if record.usage.cost is not None:
        COST.labels(model).inc(record.usage.cost)
