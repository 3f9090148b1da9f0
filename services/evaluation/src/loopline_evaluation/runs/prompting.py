"""What an endpoint is asked: a prompt file's text filled in, or the question with its passages before it."""

import re
from collections.abc import Mapping

from loopline_evaluation.datasets.rows import Row

_HOLE = re.compile(r"\{\{(\w+)\}\}")
_PARTS = re.compile(r"^# (system|user)\s*$", re.MULTILINE)


def messages_of(row: Row, prompt: str = "") -> list[Mapping[str, str]]:
    """Chat messages. `prompt`: as the generation service's files, a part `# user` with {{question}} and {{passages}}, optionally `# system`.

    What is filled in is data and never read as a template.
    """
    passages = "\n\n".join(f"[{number}] {one.text}" for number, one in enumerate(row.passages, 1) if one.text)
    holes = {"question": row.question, "passages": passages}
    if not prompt:
        return [{"role": "user", "content": f"{passages}\n\n{row.question}" if passages else row.question}]
    pieces = _PARTS.split(prompt)
    parts = {pieces[place]: pieces[place + 1].strip() for place in range(1, len(pieces) - 1, 2)} or {"user": prompt}
    filled = {role: _HOLE.sub(lambda match: holes.get(match[1], match[0]), text) for role, text in parts.items()}
    return [{"role": role, "content": filled[role]} for role in ("system", "user") if filled.get(role)]
