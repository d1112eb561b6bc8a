"""Build a wheel from a source tree with each Python that is here, and compare them.

    python tests/check_wheels.py TREE

`.ci/run` calls it, with a tree that cannot be written to.  It fails where a wheel or
its extension is too large, or where tests/hashes.py prints other lines under one Python
than under another.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PYTHONS = ("python3.11", "python3.12", "python3.13")
MOST = {".whl": 2_500_000, ".so": 5_000_000}  # bytes
HASHES = Path(__file__).resolve().parent / "hashes.py"

CAN_BUILD = """
import ensurepip, os, sysconfig
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
"""


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def can_build(python: str) -> bool:
    """Whether it has its headers, and what makes environments."""
    command = [python, "-c", CAN_BUILD]
    return not subprocess.run(command, capture_output=True).returncode


def found(name: str) -> str | None:
    """Where a Python is, on the PATH or among pyenv's; None where it cannot build."""
    on_path = shutil.which(name)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    places = [on_path] if on_path else []
    places += map(str, sorted(pyenv.glob(f"*/bin/{name}"), reverse=True))
    return next(filter(can_build, places), None)


def check_size(name: str, size: int) -> None:
    most = MOST[Path(name).suffix]
    print(f"  {name}: {size / 1e6:.2f} MB of at most {most / 1e6}")
    if size > most:
        sys.exit(f"{name} is too large")


def built(python: str, tree: Path, folder: Path) -> str:
    """Build a wheel and install it; what the hashes are there."""
    run(python, "-m", "venv", folder / "env")
    inside = folder / "env/bin/python"
    pip = (inside, "-m", "pip", "-q", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "-w", folder, tree)
    (wheel,) = folder.glob("*.whl")
    check_size(wheel.name, wheel.stat().st_size)
    for member in zipfile.ZipFile(wheel).infolist():
        if member.filename.endswith(".so"):
            check_size(member.filename, member.file_size)
    run(*pip, "install", wheel)
    run(folder / "env/bin/lrcore", "info")
    return run(inside, HASHES)


def main(tree: str) -> int:
    hashes = {}
    for python in PYTHONS:
        if (path := found(python)) is None:
            print(f"{python} is not here with its headers: not tested", flush=True)
            continue
        print(f"{python}:", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            hashes[python] = built(path, Path(tree).resolve(), Path(folder))
        print(f"  {len(hashes[python].splitlines())} hashes", flush=True)
    if not hashes:
        sys.exit(f"none of {', '.join(PYTHONS)} is here with its headers")
    first, *others = hashes
    for python in others:
        if hashes[python] != hashes[first]:
            print(f"{python} computes something else than {first}:")
            lines = set(hashes[first].splitlines()) ^ set(hashes[python].splitlines())
            print("\n".join(sorted(lines)))
    return len(set(hashes.values())) > 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
