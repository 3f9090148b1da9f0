"""In which language a text is."""

from functools import cache
from typing import Any

# Fewer letters do not tell.
LETTERS, SURE, LOOKED_AT = 24, 0.9, 1000


def language(text: str) -> str:
    """ISO 639-1, or nothing when the text is too short or could be several."""
    if sum(letter.isalpha() for letter in text[:LOOKED_AT]) < LETTERS:
        return ""
    name, sure = _identifier().classify(text[:LOOKED_AT])
    return str(name) if sure >= SURE else ""


@cache
def _identifier() -> Any:
    # Half a second and 20 MB, when the first text comes.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
