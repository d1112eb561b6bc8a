"""Count the instructions of ten calls, and compare them with `counts.json`.

    python bench/instructions/check.py                     # exit status 1: one changed
    python bench/instructions/check.py --accept REASON     # write the new counts

Times cannot show that a step becomes one per cent slower every month; instructions can,
as the same program always has the same number of them.  Each call is counted by
valgrind's callgrind, with one thread and the kernels for AVX2, the widest set that
valgrind knows.  There are two numbers for each call: the instructions in lrcore's
extension, and all instructions, also those of Python and NumPy.

A change of more than 3 % has to be committed with its reason: `--accept` writes the new
count and the reason of each call that has changed so much, and leaves the other counts
as they are, so that small changes add up.

The extension's instructions depend on the compiler, on Cython and on the flags that
Python was compiled with, all instructions also on Python, NumPy, the C library and
valgrind.  Where these are not those of `counts.json` the check says so, and does not
compare what depends on them.
"""

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from calls import COUNTED, calls

from lrcore import _core

HERE = Path(__file__).parent
COUNTS = HERE / "counts.json"
MOST = 0.03
"""The largest change that needs no reason."""

KINDS = {"extension": "in the extension", "all": "in all"}


def made_by():
    """Return, by kind of count, what it depends on besides the source."""
    binary = Path(_core.__file__).read_bytes()
    compilers = re.findall(rb"(clang version|GCC: \([^)]*\)) (\d+)", binary)
    clang = any(name.startswith(b"clang") for name, _ in compilers)
    name = b"clang" if clang else b"GCC"
    versions = {v.decode() for kind, v in compilers if kind.startswith(name)}
    cython = re.search(rb"cython_(\d+)_(\d+)", binary)
    built = {
        "machine": platform.machine(),
        "compiler": f"{name.decode()} {', '.join(sorted(versions))}",
        "Cython": b".".join(cython.groups()).decode() if cython else "unknown",
        "flags of this Python": sysconfig.get_config_var("CFLAGS"),
    }
    valgrind = subprocess.run(
        ["valgrind", "--version"], check=True, capture_output=True, text=True
    )
    ran = {
        "Python": f"{platform.python_version()} ({', '.join(platform.python_build())})",
        "NumPy": np.__version__,
        "C library": " ".join(platform.libc_ver()),
        "valgrind": valgrind.stdout.strip().removeprefix("valgrind-"),
    }
    return {"extension": built, "all": {**built, **ran}}


def compiled(folder):
    """Compile counted.c; return the library."""
    library = Path(folder, "counted.so")
    compiler = shlex.split(os.environ.get("CC", "cc"))
    include = f"-I{sysconfig.get_path('include')}"
    command = [*compiler, "-O2", "-shared", "-fPIC", include, HERE / "counted.c"]
    subprocess.run([*command, "-o", library], check=True)
    return library


def count():
    """Run the calls; return the median counts by call and kind."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        options = ["--tool=callgrind", "--instr-atstart=no", "--dump-line=no"]
        options += ["--compress-strings=no", "--compress-pos=no"]
        command = ["valgrind", *options, f"--callgrind-out-file={out}", sys.executable]
        done = subprocess.run(
            [*command, HERE / "calls.py", compiled(folder)],
            env={**os.environ, "PYTHONHASHSEED": "0", "LRCORE_ISA": "avx2"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        names = list(calls())
        dumps = [Path(f"{out}.{k + 1}") for k in range(COUNTED * len(names))]
        found = [counted(dump.read_text()) for dump in dumps]
    return {
        name: {
            kind: median(each[kind] for each in found[k : k + COUNTED])
            for kind in KINDS
        }
        for k, name in zip(range(0, len(found), COUNTED), names, strict=True)
    }


def counted(dump):
    """Return the instructions of a file by callgrind: in the extension, and all."""
    total = {"extension": 0, "all": 0}
    ours = within_call = False
    for line in dump.splitlines():
        if line.startswith("ob="):
            ours = Path(line.removeprefix("ob=")).name == Path(_core.__file__).name
        elif line.startswith("calls="):
            within_call = True  # the next line has the instructions of the called
        elif line[:1].isdigit():
            if not within_call:
                n = int(line.split()[1])
                total["all"] += n
                total["extension"] += n * ours
            within_call = False
    return total


def compare(old, new, by):
    """Return the lines of a table, and the calls and kinds that are new or changed.

    old : what counts.json has.
    new : the counts by call and kind.
    by : what `made_by` returns.
    """
    lines, changed, incomparable = [], [], []
    for kind, heading in KINDS.items():
        then = old["made by"].get(kind, {})
        if other := [k for k in by[kind] if by[kind][k] != then.get(k)]:
            differ = "; ".join(f"{k}: {by[kind][k]}, not {then.get(k)}" for k in other)
            lines.append(f"instructions {heading}: not compared ({differ})")
            incomparable += [(name, kind) for name in new]
            continue
        lines.append(f"{f'instructions {heading}':<43} {'were':>9} {'are':>9}")
        for name, counts in new.items():
            was, now = old["calls"].get(name, {}).get(kind, 0), counts[kind]
            line = f"{name:<43} {was:>9} {now:>9}"
            if was:
                line += f" {now / was - 1:>+8.2%}"
            if abs(now - was) > MOST * was:
                line += "  CHANGED"
                changed.append((name, kind))
            lines.append(line)
    return lines, changed, incomparable


def renewed(old, new, which, reason):
    """Return the calls of counts.json with some new counts, and their reason."""
    calls = {name: dict(old["calls"].get(name, {})) for name in new}
    for name, kind in which:
        calls[name][kind] = new[name][kind]
        calls[name]["reason"] = reason
    return calls


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accept", metavar="REASON", help="write the new counts")
    reason = parser.parse_args().accept
    if not shutil.which("valgrind"):
        raise SystemExit(
            "valgrind is not installed (Debian, Ubuntu: apt install valgrind)"
        )
    old = {"made by": {}, "calls": {}}
    if COUNTS.exists():
        old = json.loads(COUNTS.read_text())
    by, new = made_by(), count()
    lines, changed, incomparable = compare(old, new, by)
    print("\n".join(lines))
    if reason:
        calls = renewed(old, new, changed + incomparable, reason)
        COUNTS.write_text(json.dumps({"made by": by, "calls": calls}, indent=1) + "\n")
    elif changed:
        raise SystemExit(
            "\nSome counts changed by more than 3 %.  If that is meant, write them and "
            "the reason:\n    python bench/instructions/check.py --accept REASON"
        )


if __name__ == "__main__":
    main()
