"""Compile src_c/ with every compiler that is here, warnings being errors.

`make lint` runs it.  The kernels are compiled for each instruction set and dtype, at
the optimisation that the build uses, since some warnings come from the optimiser.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from setup import (  # noqa: E402 # found by the line above
    CFLAGS,
    ISAS,
    OPENMP_PROBE,
    SRC_C,
    c_sources,
    kernels,
    side_by_side,
)

STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic"]


def has_openmp(compiler: str) -> bool:
    command = [compiler, "-fopenmp", "-x", "c", "-fsyntax-only", "-"]
    probe = OPENMP_PROBE.encode()
    return not subprocess.run(command, input=probe, capture_output=True).returncode


def commands(compiler: str) -> list[list[str]]:
    """A compilation of the kernels for each table, the rest with and without OpenMP."""
    jobs = [(SRC_C / "kernels.c", flags) for flags in kernels(ISAS).values()]
    jobs += [(source, []) for source in c_sources(openmp=False)]
    if has_openmp(compiler):
        jobs += [(source, ["-fopenmp"]) for source in c_sources(openmp=True)]
    else:
        print(f"not checked with OpenMP, as it has none: {compiler}")
    common = [compiler, *CFLAGS, *STRICT, f"-I{SRC_C}", "-c", "-o", "/dev/null"]
    return [[*common, *flags, str(source)] for source, flags in jobs]


def fails(command: list[str]) -> bool:
    return subprocess.run(command, check=False).returncode != 0


def main() -> int:
    compilers = [c for c in ("gcc", "clang") if shutil.which(c)]
    for absent in {"gcc", "clang"} - set(compilers):
        print(f"not checked, as it is not installed: {absent}")
    failures = 0
    for compiler in compilers:
        results = side_by_side(fails, commands(compiler))
        print(f"{compiler}: {len(results)} compilations, {sum(results)} failed")
        failures += sum(results)
    return failures > 0 or not compilers


if __name__ == "__main__":
    sys.exit(main())
