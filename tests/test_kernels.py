"""The kernels as functions: the classes' update, for callers who own their state."""

import inspect

import numpy as np
import pytest
from helpers import each_dtype, each_row, make, ordinary, same_bits

import lrcore
from lrcore import _core


@each_row
@each_dtype
def test_a_kernel_is_its_class(row, dtype):
    rng = np.random.default_rng(0)
    p = ordinary(rng, (4, 5), dtype)
    twin = p.copy()
    opt = make(row, p, weight_decay=0.01)
    kernel = getattr(lrcore.kernels, row.name.lower())
    states = [s.copy() for s in opt.state[0].values()]
    for t in range(1, 5):
        g = ordinary(rng, (4, 5), dtype)
        opt.step(g)
        kernel(twin, g, *states, t=t, **{**row.kwargs, "weight_decay": 0.01})
    assert same_bits(p, twin)
    assert all(
        same_bits(a, b) for a, b in zip(opt.state[0].values(), states, strict=True)
    )


def test_there_is_one_for_each_optimizer():
    kinds = lrcore.optimizers.available()
    assert set(dir(lrcore.kernels)) == {kind.lower() for kind in kinds}
    for kind in kinds:
        kernel = getattr(lrcore.kernels, kind.lower())
        own = inspect.signature(kinds[kind]).parameters
        names = set(inspect.signature(kernel).parameters)
        assert {"p", "g", "states", "t", "num_threads", "denormals"} < names
        assert set(own) - {"params", "common"} < names
        assert kernel.__name__ == kind.lower()
        assert f":class:`lrcore.{kind}`" in kernel.__doc__


@pytest.mark.parametrize("threads", [1, 2])
def test_subnormals_are_flushed_or_kept(threads):
    for denormals, wanted in (("flush", 0.0), ("keep", 1e-310 * 0.5)):
        p, g, m = np.zeros(4), np.zeros(4), np.full(4, 1e-310)
        lrcore.kernels.sgd(
            p, g, m, t=2, momentum=0.5, num_threads=threads, denormals=denormals
        )
        assert (m == wanted).all()


def test_the_floating_point_mode_of_the_caller_is_his_own():
    """Sticky flags and subnormals of NumPy are as before a step."""
    tiny = np.float64(5e-324)
    lrcore.kernels.sgd(np.ones(3), np.ones(3), t=1)
    assert tiny * 1 == tiny
    with np.errstate(all="raise"):
        lrcore.kernels.adagrad(np.ones(2), np.full(2, np.inf), np.zeros(2), t=1)
        np.add(1.0, 1.0)


@pytest.fixture
def isa():
    yield
    lrcore.set_isa(None)


def test_instruction_sets_can_be_chosen(isa):
    assert lrcore.get_isa() in _core.isas()
    for name, runs in _core.isas().items():
        if runs:
            lrcore.set_isa(name)
            assert lrcore.get_isa() == name
