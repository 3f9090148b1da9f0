"""A root file system of nothing but Python and what it loads, taken from the base it runs in: `root.py ENVIRONMENT TARGET`.

No shell, no package manager, no documentation: what is not there needs no update and gives nobody a hold. Whatever base has a Python,
`ldd` and `ldconfig` will do.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ENVIRONMENT, TARGET = Path(sys.argv[1]), Path(sys.argv[2])
STDLIB = Path(sysconfig.get_path("stdlib"))
NOT_NEEDED = {
    "test",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "dist-packages",
}
# Loaded by name while running, so that no file says it is needed.
BY_NAME = ("libgcc_s.so.1",)
ALSO = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/openssl.cnf",
    "/etc/nsswitch.conf",
    "/etc/ld.so.conf",
    "/usr/lib/os-release",
)
USERS = "root:x:0:0::/:/sbin/nologin\nloopline:x:10001:10001::/tmp:/sbin/nologin\n"
GROUP = "root:x:0:\nloopline:x:10001:\n"


def put(path: Path) -> None:
    """This file at the same place; a link with what it leads to."""
    # The folder by its own name, so that /lib and /usr/lib stay one.
    path = path.parent.resolve() / path.name
    target = TARGET / path.relative_to("/")
    if target.exists() or target.is_symlink():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target, follow_symlinks=False)
    if path.is_symlink():
        put(path.parent / path.readlink())


def libraries(file: Path) -> list[Path]:
    """What the loader takes for it from outside of the environment."""
    told = subprocess.run(["ldd", file], capture_output=True, text=True, check=False).stdout
    words = (word for line in told.splitlines() for word in line.split() if word.startswith("/"))
    return [Path(word) for word in words if not word.startswith(str(ENVIRONMENT))]


def left_out(folder: str, names: list[str]) -> set[str]:
    """Of the standard library."""
    if Path(folder) == STDLIB:
        return {name for name in names if name in NOT_NEEDED or name.startswith("config-")}
    return (
        {name for name in names if name.startswith(("_test", "_tkinter", "xx"))}
        if folder.endswith("lib-dynload")
        else set()
    )


# /bin, /lib, /lib64 where they are links.
for link in (path for path in Path("/").iterdir() if path.is_symlink()):
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / link.name).symlink_to(link.readlink())
step = ENVIRONMENT / "bin/python"
while step.is_symlink():
    step = step.parent / step.readlink()
    if not step.is_relative_to(ENVIRONMENT):
        put(step)
shutil.copytree(STDLIB, TARGET / STDLIB.relative_to("/"), symlinks=True, ignore=left_out, dirs_exist_ok=True)
loaded = [step, *(TARGET / STDLIB.relative_to("/")).rglob("*.so"), *ENVIRONMENT.rglob("*.so*")]
found = {library for file in loaded for library in libraries(file)}
folder = next(library.parent for library in found if library.name.startswith("libc.so"))
for path in [*found, *(folder / name for name in BY_NAME), *map(Path, ALSO), *Path("/etc/ld.so.conf.d").glob("*")]:
    if path.exists():
        put(path)
for name, text in (("etc/passwd", USERS), ("etc/group", GROUP)):
    (TARGET / name).write_text(text)
for name in ("tmp", "proc", "sys", "dev"):
    (TARGET / name).mkdir(exist_ok=True)
(TARGET / "tmp").chmod(0o1777)
subprocess.run(["ldconfig", "-r", TARGET], check=True)
sys.stdout.write(f"{len(found)} shared libraries and Python {sys.version.split()[0]} from {os.uname().machine}\n")
