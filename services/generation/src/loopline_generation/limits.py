"""What may be asked: a question within its bounds, or Invalid naming the field."""

import json
from collections.abc import Sequence
from dataclasses import replace

from loopline_generation.model import Ask, Message, Sampling
from loopline_runtime.errors import Invalid

MOST_K, MOST_TOKENS, MOST_MESSAGES, MOST_QUESTION, MOST_PROMPT, MOST_GRAMMAR = 50, 4096, 100, 8192, 32_768, 65_536
_ROLES = ("system", "user", "assistant")


def checked(ask: Ask) -> Ask:
    """The question with its collections, or Invalid naming the field. Messages end in the question."""
    question = ask.messages[-1].content if ask.messages and not ask.question else ask.question
    if not question.strip():
        raise Invalid("the question is blank", reason="BLANK", field="question")
    if len(question) > MOST_QUESTION:
        raise Invalid(f"the question has {len(question)} characters; at most {MOST_QUESTION}", field="question")
    _check_messages(ask.messages)
    if not 0 <= ask.k <= MOST_K:
        raise Invalid(f"k is {ask.k}; it may be 1 to {MOST_K}", field="k")
    _check_sampling(ask.sampling)
    if len(ask.prompt_text) > MOST_PROMPT:
        raise Invalid(f"a prompt has at most {MOST_PROMPT} characters", field="overrides.prompt_text")
    if any("=" not in index for index in ask.indexes):
        raise Invalid("an index version is named as collection=version", field="overrides.indexes")
    if len(ask.run_id) > 64:
        raise Invalid("a run's id has at most 64 characters", field="run_id")
    if len(ask.conversation_id) > 128:
        raise Invalid("a conversation's id has at most 128 characters", field="conversation_id")
    return replace(ask, question=question, collections=tuple(ask.collections) or ("default",))


def _check_messages(messages: Sequence[Message]) -> None:
    if len(messages) > MOST_MESSAGES:
        raise Invalid(f"{len(messages)} messages; at most {MOST_MESSAGES}", field="messages")
    if any(message.role not in _ROLES for message in messages):
        raise Invalid(f"a role is one of {', '.join(_ROLES)}", field="messages")
    if messages and messages[-1].role != "user":
        raise Invalid("the last message is the user's question", field="messages")


def _check_sampling(sampling: Sampling) -> None:
    if not 0 <= sampling.max_tokens <= MOST_TOKENS:
        raise Invalid(f"max_tokens is 1 to {MOST_TOKENS}", field="sampling.max_tokens")
    if sampling.temperature is not None and not 0 <= sampling.temperature <= 2:
        raise Invalid("temperature is 0 to 2", field="sampling.temperature")
    if sampling.top_p is not None and not 0 < sampling.top_p <= 1:
        raise Invalid("top_p is above 0, up to 1", field="sampling.top_p")
    if sampling.json_schema and sampling.grammar:
        raise Invalid("the output is bound to a schema or to a grammar, not to both", field="sampling.grammar")
    if len(sampling.json_schema) + len(sampling.grammar) > MOST_GRAMMAR:
        raise Invalid(f"a schema or grammar has at most {MOST_GRAMMAR} characters", field="sampling.json_schema")
    if sampling.json_schema and not _is_object(sampling.json_schema):
        raise Invalid("json_schema is no JSON object", field="sampling.json_schema")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
