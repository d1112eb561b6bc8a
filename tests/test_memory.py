"""Where large state arrays lie."""

import mmap
import re
from pathlib import Path

import numpy as np
import pytest

import lrcore

ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
MIB = 1 << 20


def mappings(a):
    """(resident, in huge pages) of each mapping that an array is in, in bytes."""
    start = a.__array_interface__["data"][0]
    inside, found = False, []
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if span := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            low, high = (int(part, 16) for part in span.groups())
            inside = low < start + a.nbytes and start < high
        elif inside and line.startswith("Rss:"):
            resident = 1024 * int(line.split()[1])
        elif inside and line.startswith("AnonHugePages:"):
            found.append((resident, 1024 * int(line.split()[1])))
    return found


@pytest.fixture
def huge_pages():
    """Skip where this machine hands out none."""
    if not ENABLED.exists() or "[never]" in ENABLED.read_text():
        pytest.skip("transparent huge pages are off")
    with mmap.mmap(-1, 16 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as own:
        own.madvise(mmap.MADV_HUGEPAGE)
        view = np.frombuffer(own, np.uint8)
        view[::4096] = 1
        huge = sum(huge for _, huge in mappings(view))
        del view
    if huge < 8 * MIB:
        pytest.skip("no huge pages are free")


@pytest.mark.usefixtures("huge_pages")
@pytest.mark.parametrize("options", [{}, {"accumulate": 2}, {"ema_decay": 0.9}])
def test_states_of_32_mib_are_in_huge_pages(options):
    """But for at most 2 MiB at either end of each; a mapping can hold several."""
    p = np.zeros(8 * MIB, np.float32)
    opt = lrcore.Adam(p, **options)
    for _ in range(options.get("accumulate", 1)):
        opt.step(p + 1)
    states = opt.state[0]
    assert len(states) == 2 + len(options)
    for name, a in states.items():
        assert a.nbytes == 32 * MIB
        for resident, huge in mappings(a):
            ends = 4 * MIB * max(1, round(resident / a.nbytes))
            assert huge >= resident - ends, name
