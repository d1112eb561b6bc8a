"""One gradient that is too large for its rule, among ordinary ones: see forms.inc.

A block of gradients without one is stepped without bounds, so that a mistake would show
only where a large one stands: at the ends of blocks and vectors, and in the last few.
"""

import numpy as np
import pytest
from cases import cases
from helpers import ISAS, each_dtype, ordinary
from plans import agree, expected, run

import lrcore
from lrcore import _core

pytestmark = pytest.mark.usefixtures("restore")

BLOCK, LANES, N = 1024, 32, 2 * 1024 + 45
PLACES = [0, LANES - 1, BLOCK - 1, BLOCK, 2 * BLOCK, N - 1]
# Below and above 2, where blocks are looked at more closely; at the bounds; not finite.
VALUES = {
    "float32": [2.0, -1e3, 2.0**62, -(2.0**113), 2.0**127, -3e38, np.inf, np.nan],
    "float64": [2.0, -1e3, 2.0**511, -(2.0**1009), 2.0**1023, -1e308, -np.inf, np.nan],
}


@pytest.mark.parametrize("rule", _core.RULES)
@each_dtype
@cases("gscale", [1.0, 1e3, 1e-3])
def test_a_large_gradient_is_bounded_wherever_it_stands(rule, dtype, gscale):
    info = _core.RULES[rule]
    rng = np.random.default_rng(0)
    states = [abs(ordinary(rng, N, dtype)) for _ in info.states]
    p = ordinary(rng, N, dtype)
    coefs = (gscale, 0.0, 1.0, 0.5, *rng.uniform(0.1, 0.9, len(info.coefs)))
    calm = ordinary(rng, N, dtype)
    calm *= 1.9 / abs(calm).max()
    params, grads = [], []
    for value in VALUES[dtype]:
        g = calm.copy()
        g[rng.choice(PLACES)] = value
        grads.append(g)
        params.append(p)
    each = [list(states) for _ in grads]
    want = expected(rule, coefs, params, grads, each)
    for isa in ISAS:
        lrcore.set_isa(isa)
        assert agree(run(rule, coefs, params, grads, each, threads=1), want), isa


@each_dtype
def test_any_place_counts(dtype):
    """Lion, whose blocks are looked at, with the large one at each place in turn."""
    rng = np.random.default_rng(1)
    length = BLOCK + 70
    p, m, calm = (ordinary(rng, length, dtype) for _ in range(3))
    calm *= 1.9 / abs(calm).max()
    coefs = (1.0, 0.0, 1.0, 0.5, 0.1, 0.01)
    places = [*range(70), *range(BLOCK - 70, length)]
    grads = [calm.copy() for _ in places]
    for g, place in zip(grads, places, strict=True):
        g[place] = np.finfo(dtype).max
    params, states = [p] * len(grads), [[m] for _ in grads]
    want = expected("lion", coefs, params, grads, states)
    for isa in ISAS:
        lrcore.set_isa(isa)
        assert agree(run("lion", coefs, params, grads, states, threads=1), want), isa
