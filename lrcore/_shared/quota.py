"""The number of processors that a container allows the process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_OWN = Path("/proc/self/cgroup")
_ROOT = Path("/sys/fs/cgroup")


class Limit(NamedTuple):
    """A CPU quota.

    group : its control group: the number that the kernel has for it, which is the same
        in every container.
    cpus : in processors, rounded up: with 1.5 a second thread still gains.
    """

    group: str
    cpus: int


def cpus(own: Path = _OWN, root: Path = _ROOT) -> int | None:
    """Return the smallest CPU quota of the process's control groups; None: no quota."""
    return min((limit.cpus for limit in limits(own, root)), default=None)


def limits(own: Path = _OWN, root: Path = _ROOT) -> list[Limit]:
    """Return the CPU quotas of the process's control groups, with all groups above.

    Of control groups of version 2 (``cpu.max``) and 1 (``cpu.cfs_quota_us``).
    """
    try:
        lines = own.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    lines = [line for line in lines if line.count(":") >= 2]
    return [limit for line in lines for limit in _limits(line, root)]


def _limits(line: str, root: Path) -> Iterator[Limit]:
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
        limit = _read(folder, v2=not controllers)
        if limit is not None:
            yield limit


def _read(folder: Path, *, v2: bool) -> Limit | None:
    """Return a group's quota, from the microseconds of it and of its period."""
    try:
        if v2:
            words = (folder / "cpu.max").read_text("ascii").split()
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            words = [(folder / name).read_text("ascii") for name in names]
        quota, period = map(int, words)
        group = str(folder.stat().st_ino)
    except (OSError, ValueError):  # "max" is no number; a path may be no path
        return None
    return Limit(group, -(-quota // period)) if quota > 0 and period > 0 else None
