"""Imports whatever a service may import, once, as root, so that what it will load is there compiled and nothing else is.

Every module of ours, and every module that one of ours names, be it inside of a function. `/opt/loopline/bin/python compiled.py`
"""

import ast
import importlib
import pkgutil
import sys
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

# Run by alembic, never imported.
NOT_MODULES = ("_migrations",)


def named(source: str) -> set[str]:
    """The modules that a source imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


ours = sorted(
    {
        module.name
        for package in pkgutil.iter_modules()
        if package.ispkg and package.name.startswith("loopline_")
        for module in pkgutil.walk_packages(importlib.import_module(package.name).__path__, f"{package.name}.")
        if not any(part in module.name for part in NOT_MODULES) and not module.name.endswith("__main__")
    }
)
wanted = set(ours)
for name in ours:
    spec = find_spec(name)
    if spec and spec.origin:
        wanted |= named(Path(spec.origin).read_text())
missing = sorted({name for name in wanted if find_spec(name.partition(".")[0]) is None})
for name in sorted(wanted.difference(missing)):
    importlib.import_module(name)
sys.stdout.write(
    f"{len(wanted)} modules imported of {len(list(distributions()))} packages; not installed: {missing or 'none'}\n"
)
