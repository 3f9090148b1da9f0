"""`--set NAME=VALUE` as what a run overrides."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loopline_client.run_results import RunOverrides
from loopline_runtime.errors import Invalid

NAMES = ("prompt", "model", "k", "index", "temperature", "max_tokens", "engine", "grounding")


def overrides_of(settings: Sequence[str]) -> RunOverrides:
    """What is different from what is live. Invalid names a setting that cannot be read."""
    made: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in NAMES or not value:
            raise Invalid(f"--set is {'=, '.join(NAMES)}=, not {setting[:60]!r}", field="set")
        try:
            match name:
                case "prompt":
                    made["prompt"] = Path(value).read_text()
                case "index":
                    made["indexes"] = (*made.get("indexes", ()), value)
                case "temperature":
                    made["temperature"] = float(value)
                case "k" | "max_tokens":
                    made[name] = int(value)
                case _:
                    made[name] = value
        except (OSError, ValueError) as error:
            raise Invalid(f"--set {setting[:60]}: {error}", field="set") from error
    return RunOverrides(**made)
