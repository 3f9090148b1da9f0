"""A prompt's template filled in. Text from documents, questions and models is data: it is put in once and never read as a template."""

import re
from collections.abc import Sequence

from loopline_generation.app.sentences import Scored
from loopline_generation.model import Ask, Message, Passage
from loopline_generation.ports import Prompt, Prompts

_HOLE = re.compile(r"\{\{(\w+)\}\}")


def wanted(prompts: Prompts, ask: Ask, default: str) -> Prompt:
    """The prompt that the question brings with it, else the one it names, else the default."""
    return prompts.read(ask.prompt_text) if ask.prompt_text else prompts.get(ask.prompt or default, ask.prompt_version)


def filled(prompt: Prompt, question: str, passages: str, history: Sequence[Message]) -> tuple[Message, ...]:
    """The messages for the model: system, what was said before, the question with its passages."""
    holes = {"question": question, "passages": passages}
    user = _HOLE.sub(lambda match: holes.get(match[1], match[0]), prompt.user)
    system = (Message("system", prompt.system),) if prompt.system else ()
    return (*system, *history, Message("user", user))


def compressed(best: Sequence[Scored], most: int) -> str:
    """The sentences that bear on the question, in the order of the sources, each with its number."""
    chosen = sorted(best[:most], key=lambda one: (one.sentence.number, one.sentence.start))
    return "\n".join(f"[{one.sentence.number}] {one.sentence.text}" for one in chosen)


def whole(passages: Sequence[Passage]) -> str:
    """The passages as they are."""
    return "\n\n".join(f"[{number}] {passage.text}" for number, passage in enumerate(passages, 1))


def recent(history: Sequence[Message], most_turns: int, most_characters: int) -> tuple[Message, ...]:
    """The last turns that fit."""
    kept: list[Message] = []
    size = 0
    for message in reversed(history[-most_turns:] if most_turns else ()):
        size += len(message.content)
        if size > most_characters:
            break
        kept.insert(0, message)
    return tuple(kept)


def search_question(question: str, history: Sequence[Message]) -> str:
    """What is looked for: a short follow-up ("And how tall is it?") is looked for together with the question before it."""
    before = [message.content for message in history if message.role == "user"]
    short = len(question.split()) <= 8
    pointing = re.search(r"\b(it|its|they|them|their|he|she|his|her|that|this|those|these|there)\b", question.lower())
    return f"{before[-1]} {question}" if before and (short or pointing) else question
