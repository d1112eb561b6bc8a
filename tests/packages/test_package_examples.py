"""Examples whose gradients another package takes, and docs/how_to/other_loops.md."""

import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

import lrcore

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how_to" / "other_loops.md").read_text()


@pytest.fixture(scope="module", autouse=True)
def quickly_compiled(tmp_path_factory):
    """PyTensor without numba, which compiles for half a minute."""
    folder = tmp_path_factory.mktemp("pytensor")
    flags = f"mode=FAST_COMPILE,compiledir={folder}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTENSOR_FLAGS", flags)
        yield


def needed(module):
    return pytest.importorskip(module, reason=f"needs {module}: make test-packages")


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("autograd_mlp", "autograd"),
        ("jax_loop", "jax"),
        ("pytensor_loop", "pytensor"),
    ],
)
def test_an_example_reaches_its_loss(name, module, tmp_path):
    needed(module)
    path = ROOT / "examples" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", path], cwd=tmp_path, capture_output=True,
        text=True, timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    first, last, target = map(float, re.findall(r"\d+\.\d+", done.stdout))
    # With autograd, 0.049 to 0.06 from nine other initial values and orders.
    assert last <= target == 0.1 < 2 < first
    assert len(path.read_text().splitlines()) < 60
    assert f"]({name}.py)" in (ROOT / "examples" / "README.md").read_text()


@pytest.mark.parametrize("module", ["autograd", "jax", "pytensor"])
def test_a_block_of_the_page_prints_what_follows_it(module):
    needed("autograd")
    needed(module)
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.S)
    (own,) = [pair for pair in blocks if f"import {module}" in pair[0]]
    names = {}
    for block, wanted in (blocks[0], own):  # the first one makes the data
        with redirect_stdout(StringIO()) as printed:
            exec(block, names)
        assert printed.getvalue() == wanted


# --- what is copied -------------------------------------------------------------------


def array(offset, n=1000):
    """An array of float32 whose memory begins `offset` bytes after a multiple of 64."""
    memory = np.zeros(4 * n + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    return memory[start : start + 4 * n].view(np.float32)


def test_jax_shows_its_memory_read_only():
    jax = needed("jax")
    g = jax.numpy.arange(1000.0)
    shown = np.asarray(g)
    assert shown.ctypes.data == g.unsafe_buffer_pointer()
    assert not shown.flags.writeable
    w = np.zeros(1000, np.float32)
    opt = lrcore.SGD(w, lr=1.0)
    opt.step(shown)
    assert np.array_equal(w, -np.arange(1000))
    opt.step(g)  # read where it is, too
    assert np.array_equal(w, -2.0 * np.arange(1000))


@pytest.mark.parametrize(
    ("offset", "shares"),
    [
        (0, {"asarray": False, "array": False, "device_put": True, "dlpack": True}),
        (16, dict.fromkeys(("asarray", "array", "device_put", "dlpack"), False)),
    ],
)
def test_which_arrays_of_jax_stay_in_the_memory_of_numpy(offset, shares):
    jax = needed("jax")
    ways = {
        "asarray": jax.numpy.asarray,
        "array": jax.numpy.array,
        "device_put": jax.device_put,
        "dlpack": jax.dlpack.from_dlpack,
    }
    for name, shared in shares.items():
        p = array(offset)
        made = jax.block_until_ready(ways[name](p))
        p[:] = 1
        assert bool((made == 1).all()) is shared, name


@pytest.mark.parametrize("offset", [0, 16])
def test_a_step_after_waiting_does_not_change_what_jax_has_computed(offset):
    jax = needed("jax")
    p = array(offset, n=1_000_000)
    opt = lrcore.SGD(p, lr=1.0)
    twice = jax.jit(lambda p: 2 * p)
    ones = np.ones_like(p)
    for k in range(5):
        found = jax.block_until_ready(twice(p))
        opt.step(ones)
        assert (np.asarray(found) == -2 * k).all()


def test_pytensor_reads_the_array_that_it_has_borrowed():
    pytensor = needed("pytensor")
    borrowed, own = np.zeros(3), np.zeros(3)
    for p, borrow in ((borrowed, True), (own, False)):
        shared = pytensor.shared(p, borrow=borrow)
        read = pytensor.function([], 2 * shared)
        p += 1
        assert (read() == 2 * borrow).all()
        one, other = read(), read()
        assert type(one) is np.ndarray
        assert not np.shares_memory(one, other)


def test_gradients_of_autograd_are_arrays_of_numpy():
    autograd = needed("autograd")
    a, b = np.ones(3), np.ones(3)
    grads = autograd.grad(lambda p: autograd.numpy.sum((p[0] + p[1]) ** 2))([a, b])
    assert [type(g) for g in grads] == [np.ndarray, np.ndarray]
    opt = lrcore.SGD([a, b], lr=0.5)
    opt.step(grads)
    assert [a.tolist(), b.tolist()] == [[-1.0] * 3] * 2
