"""The machine: its free memory, and its properties that times depend on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import lrcore
from lrcore.bench import peers


def free_memory() -> float:
    """Return the bytes that are free without swapping, also within a container."""
    free = float("inf")
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            free = 1024.0 * int(line.split()[1])
    limit, used = (_read(f"/sys/fs/cgroup/memory.{k}") for k in ("max", "current"))
    if limit.strip().isdecimal() and used.strip().isdecimal():
        free = min(free, float(limit) - float(used))
    return free


def machine() -> dict[str, Any]:
    """Return the properties that times depend on, without the machine's name."""
    config = lrcore.show_config("dict")
    assert config is not None
    models = [
        line.partition(":")[2].strip()
        for line in _read("/proc/cpuinfo").splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else config["machine"],
        "cores": len(os.sched_getaffinity(0)),
        "isa": config["isa"],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"lrcore": config["lrcore"], **peers.versions()},
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(("OMP_", "GOMP_", "LRCORE_"))
        },
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
