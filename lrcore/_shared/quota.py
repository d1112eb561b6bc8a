"""The number of processors that a container allows the process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def cpus(
    own: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return the smallest CPU quota of the process's control groups; None: no quota.

    In processors, rounded up: with 1.5 a second thread still gains.  Control groups of
    version 2 (``cpu.max``) and 1 (``cpu.cfs_quota_us``), with all groups above.
    """
    try:
        lines = own.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    lines = [line for line in lines if line.count(":") >= 2]
    found = [quota for line in lines for quota in _quotas(line, root)]
    return min(found, default=None)


def _quotas(line: str, root: Path) -> Iterator[int]:
    _, controllers, path = line.split(":", 2)
    names = controllers.split(",")
    if controllers and "cpu" not in names:
        return
    base = root / controllers if controllers else root
    if not os.path.isdir(base):
        base = root / "cpu"
    group = base / path.lstrip("/")
    for folder in (group, *group.parents):
        if folder == base.parent:
            return
        limits = _read(folder, v2=not controllers)
        if limits is not None:
            quota, period = limits
            yield -(-quota // period)  # rounded up


def _read(folder: Path, *, v2: bool) -> tuple[int, int] | None:
    """Return a group's quota and period, in microseconds."""
    try:
        if v2:
            words = (folder / "cpu.max").read_text("ascii").split()
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            words = [(folder / name).read_text("ascii") for name in names]
        quota, period = map(int, words)
    except (OSError, ValueError):  # "max" is no number; a path may be no path
        return None
    return (quota, period) if quota > 0 and period > 0 else None
