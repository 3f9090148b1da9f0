"""What the local line reads from the environment."""

import os
from pathlib import Path

from loopline_client.settings import ClientSettings


def home_of(given: Path | None) -> Path:
    """The line's folder: as given, else LOOPLINE_HOME, else ~/.loopline."""
    return (given or ClientSettings().home).expanduser().absolute()


def models_of(home: Path) -> Path:
    """Where the models lie: this project's `.models` when there is one, else a folder in the home."""
    here = Path.cwd() / ".models"
    return here if here.is_dir() else home / "models"


def cache() -> Path:
    """What is built once for all projects of this person: XDG_CACHE_HOME/loopline, else ~/.cache/loopline."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loopline"


def inherited(**added: str) -> dict[str, str]:
    """The environment for a child: ours, with these in addition."""
    return {**os.environ, **added}
