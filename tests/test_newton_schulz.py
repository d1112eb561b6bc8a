"""Muon's iteration of Newton and Schulz."""

import numpy as np
import pytest
from helpers import each_dtype
from spectra import MUON, POLAR, expected, matrix

from lrcore.optimizers import _orthogonal
from lrcore.optimizers._orthogonal import ERROR, Buffers, NewtonSchulz, runs_of

pytestmark = pytest.mark.isa
SHAPES = (
    (1, 1),
    (1, 7),
    (7, 1),
    (16, 16),
    (20, 300),
    (300, 20),
    (260, 300),
    (256, 400),
)


def iterated(x, terms, eps=1e-7, adds_eps=False):
    found = x.copy("K")
    with np.errstate(all="ignore"):  # as in a step
        NewtonSchulz(terms, eps, adds_eps).apply(found, 1.0, Buffers(x.dtype))
    return found


def apart(a, b):
    """The largest singular value of a difference."""
    return np.linalg.norm(a.astype(np.float64) - b, 2)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("shape", SHAPES)
@each_dtype
def test_singular_values_are_those_of_the_polynomial(shape, order, dtype):
    """Of a matrix that is far from singular.

    The least eigenvalue of G is 1 / (21 n) of the trace, so that an error of eps in G
    is one of 21 n eps there, and of half that in the singular value.  As much again
    for the products, and 4 for the constant part, which counts if n is small.
    """
    n = min(shape)
    x = matrix(shape, np.geomspace(1, 0.1, n), dtype, order)
    for terms in ([], [MUON], [MUON] * 2, [MUON] * 5, POLAR):
        found = iterated(x, terms)
        tolerance = 21 * (n + 4) * np.finfo(dtype).eps
        assert apart(found, expected(x, terms)) < tolerance
        assert found.flags.c_contiguous == x.flags.c_contiguous


SPECTRA = {
    "condition 1e8": lambda n: np.geomspace(1, 1e-8, n),
    "half the rank": lambda n: np.repeat([1.0, 0.0], [n // 2, n - n // 2]),
    "rank 1": lambda n: np.repeat([1.0, 0.0], [1, n - 1]),
    "a power": lambda n: np.arange(1, n + 1) ** -1.5,
}


@pytest.mark.parametrize("values", SPECTRA.values(), ids=SPECTRA)
@pytest.mark.parametrize("shape", [(64, 256), (256, 64), (64, 64)])
@pytest.mark.parametrize("steps", [5, 10])
def test_small_singular_values_are_as_right_as_the_docs_say(values, shape, steps):
    """In float32: an error of ERROR in G changes P by |b| / a of it.

    In one run of ten iterations of MUON, the results of the first three matrices would
    be NaN or above 1e4.
    """
    for terms in ([MUON] * steps, [*POLAR, *[POLAR[-1]] * (steps - 6)][:steps]):
        a, b, _ = max(terms, key=lambda term: abs(term[1]) / term[0])
        x = matrix(shape, values(64), np.float32)
        assert apart(iterated(x, terms), expected(x, terms)) < ERROR * abs(b) / a


def test_a_run_ends_before_its_error_is_large():
    terms = [MUON] * 10
    assert [len(run) for run in runs_of(terms, np.finfo(np.float32).eps)] == [5, 5]
    assert [len(run) for run in runs_of(terms, np.finfo(np.float64).eps)] == [10]
    for eps in (1e-7, 1e-3, 0.5):
        runs = runs_of(list(POLAR), eps)
        assert [term for run in runs for term in run] == list(POLAR)
        for run in runs:
            error = eps * np.prod([a * a for a, _, _ in run[:-1]])
            assert error <= ERROR or len(run) == 1
    assert runs_of([], 1e-7) == []


@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (6, 40)])
@pytest.mark.parametrize("adds_eps", [False, True])
@each_dtype
def test_the_size_of_a_matrix_does_not_matter(shape, adds_eps, dtype):
    """Unless it is not much larger than eps.  Squares leave the range of the dtype."""
    x = matrix(shape, np.linspace(1, 0.3, 6), dtype)
    plain = iterated(x, [MUON] * 5, eps=0.0, adds_eps=adds_eps)
    range_of, real = np.finfo(dtype), np.dtype(dtype).type
    for size in (
        range_of.max / 16,
        range_of.max**0.5,
        range_of.tiny**0.5,
        range_of.tiny,
    ):
        scaled = x * real(2.0 ** np.round(np.log2(float(size))))
        found = iterated(scaled, [MUON] * 5, eps=0.0, adds_eps=adds_eps)
        np.testing.assert_allclose(found, plain, rtol=0, atol=40 * range_of.eps)
    for size in (1e-3, 1.0, 1e3):
        norm = np.linalg.norm(size * x)
        divisor = norm + 0.7 if adds_eps else max(norm, 0.7)
        found = iterated(x * real(size), [], eps=0.7, adds_eps=adds_eps)
        np.testing.assert_allclose(found, size * x / divisor, rtol=20 * range_of.eps)


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (2, 9)])
def test_zeros_stay_and_what_is_not_finite_becomes_nan(shape):
    for eps in (0.0, 1e-7):
        assert not iterated(np.zeros(shape), [MUON] * 5, eps=eps).any()
    for value in (np.nan, np.inf, -np.inf):
        x = np.ones(shape)
        x[1, 2] = value
        assert np.isnan(iterated(x, [MUON] * 5)).all()
    for empty in ((0, 3), (3, 0), (0, 0)):
        assert iterated(np.zeros(empty), [MUON] * 5).shape == empty


def test_a_product_in_panels_is_the_product():
    """Of sides of less than two panels, and of whole and broken panels."""
    rng = np.random.default_rng(0)
    width = _orthogonal.PANEL
    for side in (2 * width - 1, 2 * width, 3 * width + 1):
        x = rng.standard_normal((side, 40))
        out = np.full((side, side), np.nan)
        _orthogonal.symmetric_product(x, x.T, out)
        np.testing.assert_allclose(out, x @ x.T, atol=1e-12)
