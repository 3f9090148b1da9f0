"""From what the model says, or from the passages alone, to what the caller reads."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from loopline_generation.app.citations import Citations, numbers_in
from loopline_generation.app.grounding import Evidence, Sentences
from loopline_generation.app.sentences import Scored, Sentence
from loopline_generation.model import Citation, Passage, Token

# A model that says so many sentences nothing supports is not listened to any longer.
MOST_UNSUPPORTED = 3
# Fewer words than this make a heading or a label.
MOST_HEADING = 4
MARK = " (not in the sources)"
Deltas = AsyncIterator[str]


@dataclass(slots=True)
class Checked:
    """What checking found, as it goes."""

    sentences: int = 0
    supported: int = 0
    replaced: int = 0
    invalid: list[int] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)

    def cite(self, passages: Sequence[Passage], sentence: Sentence) -> None:
        """Notes that these words of that passage are relied upon."""
        passage = passages[sentence.number - 1]
        made = Citation(sentence.number, passage.chunk_id, passage.document, sentence.text)
        if made not in self.citations:
            self.citations.append(made)


def quoted(best: Sequence[Scored], most: int, passages: Sequence[Passage], checked: Checked) -> list[str]:
    """The best sentences verbatim, one a line, each with its number. What is hardly a sentence (a heading) tells too little."""
    telling = [one for one in best if len(one.sentence.text.split()) >= MOST_HEADING] or list(best)
    for one in telling[:most]:
        checked.cite(passages, one.sentence)
    return [f"“{' '.join(one.sentence.text.split())}” [{one.sentence.number}]" for one in telling[:most]]


def closest(passages: Sequence[Passage]) -> str:
    """What is said when retrieval is too weak for an answer."""
    if not passages:
        return "The documents do not answer this question: nothing in them comes near it."
    near = ", ".join(f"{passage.title or passage.source} [{number}]" for number, passage in enumerate(passages[:3], 1))
    return f"The documents do not answer this question. The closest passages are in {near}."


async def verbatim(deltas: Deltas) -> AsyncIterator[Token]:
    """Output that is bound to a form: what looks like a citation is part of it."""
    async for delta in deltas:
        yield Token(delta)


async def plain(deltas: Deltas, passages: Sequence[Passage], checked: Checked) -> AsyncIterator[Token]:
    """As the model says it; only numbers that name no passage are taken out."""
    citations = Citations(len(passages))
    said = []
    async for delta in deltas:
        if text := citations.passed(delta):
            said.append(text)
            yield Token(text)
    if rest := citations.rest():
        said.append(rest)
        yield Token(rest)
    checked.invalid = citations.invalid
    for number in dict.fromkeys(numbers_in("".join(said))):
        passage = passages[number - 1]
        checked.citations.append(Citation(number, passage.chunk_id, passage.document, ""))


async def marked(
    deltas: Deltas, passages: Sequence[Passage], evidence: Evidence, checked: Checked
) -> AsyncIterator[Token]:
    """At once; behind each sentence that nothing it cites supports stands a mark."""
    citations, sentences = Citations(len(passages)), Sentences()
    async for delta in deltas:
        text = citations.passed(delta)
        if not text:
            continue
        yield Token(text)
        for whole in sentences.passed(text):
            if not _judged(whole, passages, evidence, checked):
                yield Token(MARK + whole[len(whole.rstrip()) :], unsupported=True)
    if rest := citations.rest():
        yield Token(rest)
    last = sentences.rest() + rest
    if last.strip() and not _judged(last, passages, evidence, checked):
        yield Token(MARK, unsupported=True)
    checked.invalid = citations.invalid


def _judged(sentence: str, passages: Sequence[Passage], evidence: Evidence, checked: Checked) -> bool:
    if not any(letter.isalnum() for letter in sentence):
        return True
    checked.sentences += 1
    support = evidence.supports(sentence)
    if support is None:
        return False
    checked.supported += 1
    checked.cite(passages, support.sentence)
    return True


async def strict(
    deltas: Deltas,
    passages: Sequence[Passage],
    evidence: Evidence,
    checked: Checked,
    quotes: Callable[[], list[str]],
    always_quote: bool,
) -> AsyncIterator[Token]:
    """Each sentence is held until it is checked: supported ones pass, with their number; the others give way to quotes."""
    citations, sentences = Citations(len(passages)), Sentences()
    unsupported = 0
    async for delta in deltas:
        for whole in sentences.passed(citations.passed(delta)):
            if text := _passed(whole, passages, evidence, checked):
                yield Token(text)
        unsupported = checked.sentences - checked.supported
        if unsupported >= MOST_UNSUPPORTED:
            break
    if unsupported < MOST_UNSUPPORTED:
        last = sentences.rest()
        rest = citations.rest()
        if text := _passed(last + rest, passages, evidence, checked):
            yield Token(text)
    checked.invalid = citations.invalid
    unsupported = checked.sentences - checked.supported
    if always_quote or unsupported or not checked.supported:
        lines = quotes()
        checked.replaced = min(unsupported, len(lines))
        if lines:
            yield Token(("\n" if checked.supported else "") + "\n".join(lines))


def _passed(sentence: str, passages: Sequence[Passage], evidence: Evidence, checked: Checked) -> str:
    """The sentence with a citation, or nothing when it is not supported."""
    if not any(letter.isalnum() for letter in sentence):
        return ""
    checked.sentences += 1
    support = evidence.supports(sentence)
    if support is None:
        return ""
    checked.supported += 1
    checked.cite(passages, support.sentence)
    body = sentence.strip()
    return f"{body} " if numbers_in(body) else f"{body} [{support.sentence.number}] "
