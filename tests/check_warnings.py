"""Compile src_c/ with every compiler that is here, warnings being errors.

`make lint` runs it.  The kernels are compiled for each instruction set and dtype, at
the optimisation that the build uses, since some warnings come from the optimiser.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from setup import C_SOURCES, CFLAGS, ISAS, kernels  # noqa: E402 # found by the line above

STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic"]
OPENMP = {"gcc": ["-fopenmp"], "clang": ["-fopenmp=libgomp"]}


def main() -> int:
    compilers = [c for c in ("gcc", "clang") if shutil.which(c)]
    for absent in {"gcc", "clang"} - set(compilers):
        print(f"not checked, as it is not installed: {absent}")
    failures = 0
    for compiler in compilers:
        failed = False
        jobs = [(source, []) for source in C_SOURCES]
        jobs += [(source, OPENMP[compiler]) for source in C_SOURCES]
        jobs += [("src_c/kernels.c", flags) for flags in kernels(ISAS).values()]
        for source, flags in jobs:
            with tempfile.TemporaryDirectory() as folder:
                command = [compiler, *CFLAGS, *STRICT, *flags, "-Isrc_c"]
                command += ["-c", source, "-o", f"{folder}/object.o"]
                failed |= subprocess.run(command, cwd=ROOT, check=False).returncode != 0
        failures += failed
        print(
            f"{compiler}: {len(jobs)} compilations, {'FAILED' if failed else 'clean'}"
        )
    return failures > 0 or not compilers


if __name__ == "__main__":
    sys.exit(main())
