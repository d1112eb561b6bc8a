"""Arrays of more than 2^31 elements, and of more than 2^32 bytes in a file.

LRCORE_LARGE=1 python -m pytest tests/test_large.py takes 9 GB of memory and a minute.
"""

import ctypes
import mmap
import os
from pathlib import Path

import numpy as np
import pytest

import lrcore
from lrcore import reference

NEEDED = 9 << 30
N = 2**31 + 7
PERIOD = 2**22
STRIP = 2048
THREADS = [1, 2, 3]
MAP_FIXED = 0x10


def available():
    lines = Path("/proc/meminfo").read_text().splitlines()
    line = next(each for each in lines if each.startswith("MemAvailable:"))
    return 1024 * int(line.split()[1])


@pytest.fixture(autouse=True)
def enough_memory():
    if os.environ.get("LRCORE_LARGE") != "1":
        pytest.skip("takes 9 GB of memory and a minute: LRCORE_LARGE=1 asks for it")
    if available() < NEEDED:
        pytest.skip(f"found {available():,} bytes of memory, {NEEDED:,} are needed")


def repeated(part, n):
    """Return an array of n elements that repeats a part, in the memory of one part."""
    file = os.memfd_create("part")
    assert os.write(file, part) == part.nbytes
    size = -(-n // part.size) * part.nbytes
    room = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ)
    array = np.frombuffer(room, part.dtype, n)
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int),
        ctypes.c_long,
    ]
    flags = mmap.MAP_SHARED | MAP_FIXED
    for begin in range(array.ctypes.data, array.ctypes.data + size, part.nbytes):
        found = libc.mmap(begin, part.nbytes, mmap.PROT_READ, flags, file, 0)
        assert found == begin
    os.close(file)
    return array


def is_repeated(array, part):
    """Whether an array repeats a part, to the bit."""
    whole = array[: array.size // part.size * part.size].reshape(-1, part.size)
    rest = array[whole.size :]
    same = (np.array_equal(row.view("u4"), part.view("u4")) for row in whole)
    return all(same) and np.array_equal(rest.view("u4"), part[: rest.size].view("u4"))


def norm_of(part, n):
    """Return the norm of an array that repeats a part, in the kernels' order."""
    strips = part.reshape(-1, STRIP)
    sums = np.array([reference.squares(strip).mid for strip in strips])
    all_sums = np.resize(sums, n // STRIP + 1)
    all_sums[-1] = reference.squares(part[: n % STRIP]).mid
    return np.sqrt(np.add.accumulate(all_sums)[-1])


def test_a_step_of_more_elements_than_an_int_counts():
    """With the norm of all of them, which clips; by each number of threads."""
    part = np.random.default_rng(0).standard_normal(PERIOD, np.float32)
    p, g, norm = np.zeros(N, np.float32), repeated(part, N), norm_of(part, N)
    expected = np.zeros_like(part)
    opt = lrcore.SGD(p, lr=0.5, clip_norm=1e3, telemetry=True)
    for threads in THREADS:
        opt.num_threads = threads
        assert opt.step(g)
        assert opt.report.grad_norm == norm
        reference.step("sgd", expected, part, [], (1e3 / norm, 0, 1, 0.5))
        assert is_repeated(p, expected), threads


def test_a_file_of_more_bytes_than_an_unsigned_int_counts(tmp_path):
    n = 2**30 + 7
    p = np.zeros(n, np.float32)
    marks = [0, 1, 2**29 - 1, 2**29, 2**30 - 1, 2**30, n - 1]
    p[marks] = range(1, len(marks) + 1)
    opt = lrcore.SGD(p)
    opt.save_async(tmp_path / "run").wait()
    p[marks], p[5] = 0, 1
    opt.load(tmp_path / "run")
    (tmp_path / "run").unlink()  # pytest would keep it
    assert np.flatnonzero(p).tolist() == marks
    assert p[marks].tolist() == [*range(1, len(marks) + 1)]
