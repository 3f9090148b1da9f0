"""Whether the answer is in the language of the question."""

from functools import cache
from typing import Any

from loopline_evaluation.app import text
from loopline_evaluation.app.metrics.case import Case, Measured, Metric
from loopline_evaluation.model import Evidence

# Fewer letters do not tell; scripts without spaces say more with each.
LETTERS, WIDE_LETTERS, SURE = 24, 8, 0.7


def _match(case: Case) -> Measured | None:
    asked, answered = language(case.answer.question), language(text.plain(case.answer.text))
    if not asked or not answered:
        return None
    same = asked == answered
    return float(same), () if same else (Evidence(note=f"asked in {asked}, answered in {answered}"),)


def language(said: str) -> str:
    """ISO 639-1, or nothing when the text is too short or could be several."""
    letters = sum(letter.isalpha() for letter in said)
    if letters < (WIDE_LETTERS if text.wide(said) else LETTERS):
        return ""
    name, sure = _identifier().classify(said[:1000])
    return str(name) if sure >= SURE else ""


@cache
def _identifier() -> Any:
    # Half a second and 20 MB, when the first answer comes.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


LANGUAGE_MATCH = Metric("language_match", _match)
