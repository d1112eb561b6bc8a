"""The machine: its free memory, and its properties that times depend on."""

from __future__ import annotations

import platform
from typing import Any

import lrcore
from lrcore._shared.machine import environment, processor, processors, read
from lrcore.bench import peers


def free_memory() -> float:
    """Return the bytes that are free without swapping, also within a container."""
    free = float("inf")
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            free = 1024.0 * int(line.split()[1])
    limit, used = (read(f"/sys/fs/cgroup/memory.{k}") for k in ("max", "current"))
    if limit.strip().isdecimal() and used.strip().isdecimal():
        free = min(free, float(limit) - float(used))
    return free


def machine() -> dict[str, Any]:
    """Return the properties that times depend on, without the machine's name."""
    config = lrcore.show_config("dict")
    assert config is not None
    return {
        "processor": processor(),
        "cores": processors(),
        "isa": config["isa"],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"lrcore": config["lrcore"], **peers.versions()},
        "environment": environment(),
    }
