"""The machine and the process: facts that times and bug reports depend on."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path

# Variables that say how many threads there are, or what they do.
_VARIABLES = re.compile(
    r"(OMP|GOMP|KMP)_\w+|(OPENBLAS|MKL|BLIS|NUMEXPR)_NUM_THREADS"
    r"|LRCORE_(ISA|THREADING|NUM_THREADS)"
)
_OPENMP = re.compile(r"/lib(gomp|omp|iomp5)\b[^/]*$")
# Optional requirements, and libraries with threads in the same process.
_PACKAGES = (
    *("matplotlib", "optuna", "safetensors", "tqdm"),
    *("threadpoolctl", "scipy", "torch", "jax", "numba"),
)


def processor() -> str:
    """Return the processor's model, or its architecture where that is not known."""
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def openmp_libraries() -> list[str]:
    """Return the files of all OpenMP runtimes in this process (on Linux)."""
    lines = read("/proc/self/maps").splitlines()
    paths = {line.split(maxsplit=5)[-1] for line in lines if _OPENMP.search(line)}
    return sorted(re.sub(f"^{re.escape(str(_home()))}(?=/)", "~", p) for p in paths)


def _home() -> str:
    home = os.path.expanduser("~")
    return home if len(home) > 1 else "/~"  # the root, or not known


def environment() -> dict[str, str]:
    """Return the variables that set threads and kernels, with their values."""
    found = (item for item in os.environ.items() if _VARIABLES.fullmatch(item[0]))
    return dict(sorted(found))


def packages() -> dict[str, str]:
    """Return the versions of other packages that lrcore may meet, if installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def read(path: str) -> str:
    """Return the text of a file, or "" where there is none."""
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
