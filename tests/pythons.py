"""The Pythons of this machine, for build_wheels.py and check_wheels.py."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14", "python3.14t")

CAN_BUILD = """
import ensurepip, os, sysconfig
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
"""


def run(*command: str | Path, **options: object) -> str:
    """Run a command, which must succeed; return what it prints."""
    ran = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, **options
    )
    return ran.stdout


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


def each_python() -> Iterator[tuple[str, str]]:
    """Yield the name and the path of each Python that is here; tell of the others."""
    for name in PYTHONS:
        if path := found(name):
            yield name, path
        else:
            print(f"{name} is not here with its headers: not tested", flush=True)


def environment(python: str, folder: Path) -> Path:
    """Make an environment; return its Python."""
    run(python, "-m", "venv", folder)
    return folder / "bin/python"


def pip(python: Path, *arguments: str | Path, **options: object) -> None:
    """Run an environment's pip."""
    run(python, "-m", "pip", "-q", "--disable-pip-version-check", *arguments, **options)
