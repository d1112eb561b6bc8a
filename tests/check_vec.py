"""Fail where the compiler has not vectorised a kernel, by its own report.

`make vec` runs it.  The dump of gcc's vectoriser names the function that each loop is
in, so that the check is by rule, form, dtype and instruction set.  So does its
optimisation record, which takes 7 GB of memory and a minute for each table.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from setup import CFLAGS, ISAS, SRC_C, kernels, side_by_side  # noqa: E402 # found by the line above

WIDTH = {"baseline": 16, "avx2": 32, "avx512": 64}  # bytes


def gcc(flags: list[str], *what: str) -> str:
    command = ["gcc", *CFLAGS, *flags, str(SRC_C / "kernels.c"), *what]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def functions(table: str, flags: list[str]) -> set[str]:
    """Every kernel and stage that a table holds."""
    source = gcc(flags, "-E")
    _, held = source.split(f"lrc_{table} = {{")
    dtype = table.split("_")[1]
    return set(re.findall(rf"\b\w+_{dtype}\b", held))


def vectorised(flags: list[str]) -> dict[str, int]:
    """The widest vectors, in bytes, of each function's loops."""
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder, "vect.txt")
        gcc(flags, f"-fdump-tree-vect-optimized={dump}", "-c", "-o", f"{folder}/k.o")
        lines = re.findall(
            r"^;; Function (\w+)|optimized: loop vectorized using (\d+) byte vectors",
            dump.read_text(),
            re.M,
        )
    widths: dict[str, int] = {}
    function = ""
    for begun, width in lines:
        function = begun or function
        widths[function] = max(widths.get(function, 0), int(width or 0))
    return widths


def main() -> int:
    failures = 0
    tables = kernels(ISAS)
    found = side_by_side(vectorised, tables.values())
    for (table, flags), widths in zip(tables.items(), found, strict=True):
        isa = table.split("_")[0]
        wanted = functions(table, flags)
        missing = {name for name in wanted if widths.get(name, 0) < WIDTH[isa]}
        for name in sorted(missing):
            print(f"{isa}: {name} is not vectorised ({widths.get(name, 0)} bytes)")
        print(f"{table}: {len(wanted - missing)} of {len(wanted)} kernels vectorised")
        failures += len(missing)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
