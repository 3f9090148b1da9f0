"""Prompt files: `<name>.<version>.md` in a folder, looked at again when they change.

A file has a part headed `# system` (optional) and one headed `# user`; {{passages}} and {{question}} are put in.
"""

import hashlib
import logging
import re
import time
from pathlib import Path

from loopline_generation.ports import Prompt
from loopline_runtime.errors import Invalid, Rejected

log = logging.getLogger(__name__)
LOOK_AGAIN_S = 1.0
_NAME = re.compile(r"([a-z0-9][a-z0-9-]*)\.(\d+)\.md")
_PARTS = re.compile(r"^# (system|user)\s*$", re.MULTILINE)


class PromptFiles:
    """The port `Prompts`. A file that is broken leaves the last good one in place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._prompts: dict[tuple[str, str], Prompt] = {}
        self._seen: dict[Path, int] = {}
        self._looked = float("-inf")
        self._look()
        if not self._prompts:
            raise Rejected(f"PROMPTS__PATH {folder} has no prompt; files are named NAME.VERSION.md")

    def get(self, name: str, version: str) -> Prompt:
        """See the port."""
        if time.monotonic() - self._looked > LOOK_AGAIN_S:
            self._look()
        versions = [known for known in self._prompts if known[0] == name]
        if not versions:
            known = ", ".join(sorted({name for name, _ in self._prompts}))
            raise Invalid(
                f"there is no prompt {name[:80]!r}; there are: {known}", reason="UNKNOWN_PROMPT", field="prompt"
            )
        wanted = (name, version) if version else max(versions, key=lambda known: int(known[1]))
        if wanted not in self._prompts:
            raise Invalid(
                f"prompt {name} has no version {version[:20]!r}", reason="UNKNOWN_PROMPT", field="prompt_version"
            )
        return self._prompts[wanted]

    def read(self, text: str) -> Prompt:
        """See the port."""
        return _parsed("override", "", text)

    def _look(self) -> None:
        self._looked = time.monotonic()
        present: set[tuple[str, str]] = set()
        for path in sorted(self._folder.glob("*.md")):
            match = _NAME.fullmatch(path.name)
            if not match:
                continue
            key = (match[1], match[2])
            present.add(key)
            changed = path.stat().st_mtime_ns
            if self._seen.get(path) != changed:
                self._seen[path] = changed
                self._read(path, key)
        self._prompts = {key: prompt for key, prompt in self._prompts.items() if key in present}

    def _read(self, path: Path, key: tuple[str, str]) -> None:
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            log.error("prompt %s cannot be read; the former one stays: %s", path.name, error)  # noqa: TRY400
            return
        try:
            self._prompts[key] = _parsed(*key, text)
        except Invalid as error:
            log.error("%s: %s; the former one stays", path.name, error)  # noqa: TRY400


def _parsed(name: str, version: str, text: str) -> Prompt:
    pieces = _PARTS.split(text)
    parts = {pieces[place]: pieces[place + 1].strip() for place in range(1, len(pieces) - 1, 2)}
    if "{{question}}" not in parts.get("user", ""):
        raise Invalid("a prompt has a part `# user` with {{question}}", reason="BAD_PROMPT", field="prompt")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Prompt(name, version, digest, parts.get("system", ""), parts["user"])
