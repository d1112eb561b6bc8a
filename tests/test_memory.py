"""Where large state arrays lie."""

import mmap
import re
import threading
from pathlib import Path

import numpy as np
import pytest

import lrcore

TASKS = Path("/proc/self/task")
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


def faults():
    """How many pages each thread of this process has been given."""
    found = {}
    for task in TASKS.iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        found[int(task.name)] = int(fields[7])
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


@pytest.mark.skipif(not TASKS.exists(), reason="the system does not count by thread")
@pytest.mark.parametrize("options", [{}, {"ema_decay": 0.9, "accumulate": 2}])
def test_pages_of_states_are_taken_by_the_threads_that_step_them(options):
    """A thread that the system does not run in time leaves its share to another."""
    p = np.ones(4 * MIB, np.float32)
    own, shares = threading.get_native_id(), []
    for _ in range(50):
        before = faults()
        opt = lrcore.AdamW(p, num_threads=2, **options)
        after = faults()
        taken = {thread: n - before.get(thread, 0) for thread, n in after.items()}
        of_others = sum(n for thread, n in taken.items() if thread != own)
        shares.append(of_others / sum(taken.values()))
        del opt
        if shares[-1] > 0.1:
            break
    else:
        pytest.fail(f"shares of the second thread: {shares}")


@pytest.mark.parametrize("name", ["AdamW", "Adagrad", "Prodigy", "SM3", "Rprop"])
def test_large_states_have_the_initial_values_of_small_ones(name):
    """Also where the memory was used before."""
    options = {"ema_decay": 0.9, "accumulate": 2}
    if name == "Adagrad":
        options["initial_accumulator_value"] = 0.5
    for p in (np.full((3, 3), 0.25, "f4"), np.full((300, 700), 0.25, "f4")):
        junk = [np.full(p.size + 1024, np.nan, "f4") for _ in range(6)]
        del junk
        opt = getattr(lrcore, name)(p, **options)
        found = {k: {*np.ravel(a).tolist()} for k, a in opt.state[0].items()}
        if p.size == 9:
            wanted = found
    assert found.keys() == wanted.keys()
    assert found == wanted


def test_states_of_a_group_that_is_added():
    first, second = np.ones(100_000), np.ones(200_000)
    opt = lrcore.AdamW(first, ema_decay=0.9)
    opt.step(np.ones(100_000))
    before = {k: a.copy() for k, a in opt.state[0].items()}
    opt.add_group(second)
    for k, a in before.items():
        assert (opt.state[0][k] == a).all(), k
    assert {k: {*a.tolist()} for k, a in opt.state[1].items()} == {
        "m": {0.0}, "v": {0.0}, "ema": {1.0}
    }  # fmt: skip
