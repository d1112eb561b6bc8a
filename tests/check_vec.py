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


def text(name: str) -> str:
    return (SRC_C / name).read_text()


def functions(dtype: str) -> set[str]:
    """Every kernel and stage that kernels.c has to have."""
    rules = re.findall(r"^RULE\((\w+)", text("rules.def"), re.M)
    forms = re.findall(r"KERNEL\(name, n_state, _(\w+),", text("drive.inc"))
    assert rules
    assert forms
    gauges = re.findall(r"^GAUGE\((\w+)", text("gauges.def"), re.M)
    stages = re.findall(r"^ +\.(\w+) = T\(", text("kernels.c"), re.M)
    assert stages
    names = [f"{r}_{f}" for r in rules for f in [*forms, "measured"]] + stages
    names += [f"{gauge}_gauge" for gauge in gauges]
    return {f"{name}_{dtype}" for name in names}


def vectorised(flags: list[str]) -> dict[str, int]:
    """The widest vectors, in bytes, of each function's loops."""
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder, "vect.txt")
        command = ["gcc", *CFLAGS, *flags, f"-fdump-tree-vect-optimized={dump}"]
        command += ["-c", str(SRC_C / "kernels.c"), "-o", f"{folder}/kernels.o"]
        subprocess.run(command, check=True)
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
    for table, widths in zip(tables, found, strict=True):
        isa, dtype = table.split("_")
        wanted = functions(dtype)
        missing = {name for name in wanted if widths.get(name, 0) < WIDTH[isa]}
        for name in sorted(missing):
            print(f"{isa}: {name} is not vectorised ({widths.get(name, 0)} bytes)")
        print(f"{table}: {len(wanted - missing)} of {len(wanted)} kernels vectorised")
        failures += len(missing)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
