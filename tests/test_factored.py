"""Memory order, threads, and second moments by rows and columns."""

from math import nan

import numpy as np
import plans
import pytest
from cases import cases
from helpers import (
    KINDS,
    MORE,
    all_same,
    close,
    configurations,
    each_dtype,
    each_kind,
    ordinary,
    same_bits,
    same_states,
    wild,
)

import lrcore
from lrcore import reference

pytestmark = pytest.mark.isa


@pytest.mark.parametrize(
    ("name", "shape", "kwargs"),
    [
        ("Adafactor", (7, 5), {}),
        ("Adafactor", (3, 40), {"convention": "keras", "weight_decay": 0.1}),
        ("SM3", (7, 5), {}),
        ("SM3", (3, 40), {"momentum": 0.9, "weight_decay": 0.1}),
        ("SM3", (3, 4, 5), {}),
        ("SM3", (2, 3, 4, 5), {"momentum": 0.9}),
    ],
)
def test_factored_moments_are_the_same_in_either_memory_order(name, shape, kwargs):
    rng = np.random.default_rng(0)
    c = ordinary(rng, shape, "float64")
    f = np.asfortranarray(c)
    assert not f.flags.c_contiguous
    one, two = (KINDS[name](p, lr=0.1, **kwargs) for p in (c, f))
    for _ in range(6):
        g = ordinary(rng, shape, "float64")
        one.step(g)
        two.step(np.asfortranarray(g))
    close([c], [f])
    assert one.state[0].keys() == two.state[0].keys()
    close(one.state[0].values(), two.state[0].values())


def test_a_nan_stays_in_the_accumulators_of_sm3():
    opt = lrcore.SM3(np.ones((2, 3)))
    g = np.ones((2, 3))
    g[0, 1] = nan
    opt.step(g)
    assert np.isnan(opt.state[0]["acc_0"]).tolist() == [True, False]
    assert np.isnan(opt.state[0]["acc_1"]).tolist() == [False, True, False]


def test_adafactor_refuses_fortran_order_of_three_dimensions():
    p = np.zeros((2, 3, 4), order="F")
    with pytest.raises(ValueError, match=r"^params: Adafactor .* 3 dim.* C order only"):
        lrcore.Adafactor(p)
    assert lrcore.Adafactor(np.ascontiguousarray(p)).step(np.ones((2, 3, 4)))


@each_kind
@cases("dtype, order", [("float32", "C"), ("float64", "F")])
def test_two_threads_change_no_bit(name, dtype, order):
    """Of what is large enough for a second: from 65,536 elements on.

    Kernels are the same for either order, and shares of threads for either dtype.
    """
    rng = np.random.default_rng(0)
    shapes = [(200, 350), (5_011,)]
    grads = [np.asarray(ordinary(rng, s, dtype), order=order) for s in shapes]
    runs = []
    for threads in (1, 2):
        params = [np.full(s, 0.5, dtype, order=order) for s in shapes]
        more = {**MORE.get(name, {}), "lr": 0.05, "weight_decay": 0.1}
        opt = KINDS[name](params, num_threads=threads, ema_decay=0.5, **more)
        for _ in range(2):
            opt.step(grads)
        runs.append((params, opt.state))
    assert all_same(runs[0][0], runs[1][0])
    assert same_states(runs[0][1], runs[1][1])


@pytest.mark.usefixtures("restore")
@each_dtype
@pytest.mark.parametrize("values", [ordinary, wild])
@cases(
    "shape",
    [
        *((1, 1), (1, 7), (7, 1), (1, 5000), (5000, 1), (4, 33), (33, 4), (31, 33)),
        *((3, 2047), (3, 2049), (300, 400), (3, 4, 5), (2, 1, 33), (5, 33, 1)),
        (2, 3, 4, 5),
    ],
)
def test_directions_and_sides_are_those_of_the_reference(shape, values, dtype):
    """To the bit, of an array of any number of dimensions."""
    rng = np.random.default_rng(0)
    g = values(rng, shape, dtype)

    def side(*shape):
        return np.abs(ordinary(rng, shape, dtype))

    *batch, rows, cols = shape
    matrices = [(side(*batch, rows), rows), (side(*batch, cols), cols)]
    whole = side(g.size)
    for factoring, coefs, x, sides in (
        ("product", (0.75, 1e-3, 0.0), g, matrices),
        ("product", (0.75, -1.0, 1.0), g, matrices),
        ("product", (0.75, 1e-3, 0.0), g.ravel(), [(whole, g.size)]),
        ("least", (1e-30,), g, [(side(n), n) for n in shape]),
        ("least", (0.25,), g.ravel(), [(whole, g.size)]),
    ):
        arrays = [array for array, _ in sides]
        moved, sums = reference.unfactor(factoring, x, arrays, coefs)
        moved = 0 + moved  # which makes -0 of a direction 0
        for isa, threads in configurations():
            lrcore.set_isa(isa)
            u, new = plans.factored(factoring, coefs, x, x, sides, threads=threads)
            assert same_bits(u, moved), (factoring, isa, threads)
            assert all_same(new, sums), (factoring, isa, threads)
