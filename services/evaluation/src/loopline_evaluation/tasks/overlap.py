"""How far an answer says what the reference says, by its words. Of several references the best counts, as each suite's own script has it.

Exact match and token F1 normalise as SQuAD's script does (lower case; no punctuation, English articles, repeated space). BLEU and chrF are
sacrebleu's for single sentences, ROUGE-L is rouge-score's F measure; all are 0 to 1.
"""

import re
import string
from collections import Counter
from functools import cache
from importlib.metadata import version
from typing import Any

from loopline_evaluation.app import text
from loopline_evaluation.model import Evaluator
from loopline_evaluation.tasks.task import Replied, Task

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation + "“”„’‘…")
# Without spaces between words, characters are the words.
_TOKENIZERS = {"zh": "zh", "ja": "char", "ko": "char", "th": "char"}


def normalised(said: str) -> str:
    """As SQuAD's evaluation script compares answers."""
    return " ".join(_ARTICLES.sub(" ", said.lower().translate(_PUNCTUATION)).split())


def _said(replied: Replied) -> str:
    return text.plain(replied.case.answer.text)


def _exact(replied: Replied) -> float | None:
    if not replied.row.references:
        return None
    said = normalised(_said(replied))
    return float(any(said == normalised(reference) for reference in replied.row.references))


def _f1(replied: Replied) -> float | None:
    said = normalised(_said(replied)).split()
    return max((_shared(said, normalised(reference).split()) for reference in replied.row.references), default=None)


def _shared(said: list[str], wanted: list[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted))


def _holds(replied: Replied) -> float | None:
    if not replied.row.references:
        return None
    said = f" {normalised(_said(replied))} "
    return float(any(f" {normalised(reference)} " in said for reference in replied.row.references))


def _bleu(replied: Replied) -> float | None:
    if not replied.row.references:
        return None
    tokenize = _TOKENIZERS.get(replied.row.metadata.get("language", "")[:2], "13a")
    return float(_bleu_of(tokenize).sentence_score(_said(replied), list(replied.row.references)).score) / 100


def _chrf(replied: Replied) -> float | None:
    if not replied.row.references:
        return None
    return float(_chrf_of().sentence_score(_said(replied), list(replied.row.references)).score) / 100


def _rouge(replied: Replied) -> float | None:
    if not replied.row.references:
        return None
    scores = _rouge_of().score_multi(list(replied.row.references), _said(replied))
    return float(scores["rougeL"].fmeasure)


@cache
def _bleu_of(tokenize: str) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize=tokenize, effective_order=True)


@cache
def _chrf_of() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


@cache
def _rouge_of() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=False)


_REFERENCE = "a reference answer"
_SACREBLEU = Evaluator("sacrebleu", version("sacrebleu"))
EXACT_MATCH = Task("exact_match", _exact, _REFERENCE)
TOKEN_F1 = Task("token_f1", _f1, _REFERENCE)
HOLDS_REFERENCE = Task("holds_reference", _holds, _REFERENCE)
BLEU_SCORE = Task("bleu", _bleu, _REFERENCE, _SACREBLEU)
CHRF_SCORE = Task("chrf", _chrf, _REFERENCE, _SACREBLEU)
ROUGE_L = Task("rouge_l", _rouge, _REFERENCE, Evaluator("rouge-score", version("rouge-score")))
