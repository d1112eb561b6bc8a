"""NAdam's products of mu: right, and bounded in time and memory, for any settings."""

from decimal import Decimal, localcontext
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from cases import cases

import lrcore
from lrcore.optimizers import nadam

NEAR_1 = [0.9, 0.99, 0.9999, 1 - 1e-6, 1 - 1e-9, 1 - 2.0**-53]
DECAYS = [0.0, 1e-300, 1e-12, 4e-3, 0.1, 0.343, 0.5, 1.0, 30.0, 1e300, inf]


def one_by_one(b1, decay, steps):
    """Return the products for t = 0, 1, ..., each rounded."""
    products = [1.0]
    for t in range(1, steps + 1):
        products.append(products[-1] * nadam._mu(t, b1, decay))
    return products


def exactly(b1, decay, t):
    """Return mu_1 ... mu_t, with 50 digits."""
    with localcontext() as context:
        context.prec = 50
        product = Decimal(b1) ** t
        q = Decimal(0) if decay == inf else Decimal("0.96") ** Decimal(decay)
        power = Decimal(1)
        for _ in range(min(t, 200_000)):
            power *= q
            if power < Decimal("1e-40") or product < Decimal("1e-40"):
                break
            product *= 1 - power / 2
        return product


@pytest.mark.parametrize("b1", [0.0, 0.3, *NEAR_1])
@cases("decay", DECAYS)
def test_early_products_are_made_factor_by_factor(b1, decay):
    steps = 5000
    product_to = nadam._mu_products(b1, decay)
    for t, wanted in enumerate(one_by_one(b1, decay, steps)):
        # A product of 2^-60 or less counts as 0: 1 minus it is 1.
        assert product_to(t) == wanted or max(product_to(t), wanted) <= 2.0**-60


@pytest.mark.parametrize("b1", NEAR_1)
@cases("decay", DECAYS)
@cases("t", [10**4, 2**17, 2**17 + 1, 10**6, 10**9, 10**15])
def test_late_products_are_right(b1, decay, t):
    found, wanted = nadam._mu_products(b1, decay)(t), float(exactly(b1, decay, t))
    rel = 1e-12 if t > nadam._TABLE else t * 2.0**-53  # a rounding a factor
    assert found == pytest.approx(wanted, rel=rel, abs=2.0**-60)


def test_the_power_goes_on_where_the_table_ends():
    for b1 in NEAR_1[3:]:
        product_to = nadam._mu_products(b1, 1.0)
        found = [product_to(nadam._TABLE + k) for k in range(-2, 4)]
        for before, after in pairwise(found):
            assert after / before == pytest.approx(b1, rel=1e-11)


@pytest.mark.parametrize("b1", [0.0, 1e-300, 0.5, *NEAR_1])
@cases("decay", [*DECAYS, 0.33, 0.342, 0.344, 0.35])
def test_a_late_step_takes_bounded_work(b1, decay, monkeypatch):
    calls, mu = [0], nadam._mu

    def counted(*arguments):
        calls[0] += 1
        return mu(*arguments)

    nadam._mu_products.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(nadam, "_mu", counted)
        product_to = nadam._mu_products(b1, decay)
        for t in (10**9, 10**15, 5, 10**12):
            product_to(t)
    assert calls[0] < 2700
    (table,) = (
        cell.cell_contents
        for cell in product_to.__closure__
        if isinstance(cell.cell_contents, np.ndarray)
    )
    assert table.nbytes <= 2**20 + 8
    assert table.base is None  # it holds no larger one


@pytest.mark.parametrize("bias_correction", [True, False])
def test_a_state_of_a_late_step_goes_on(bias_correction):
    """With b1 near 1 and a constant gradient, the step has a closed form."""
    b1, t = 1 - 1e-9, 10**9
    p = np.zeros(1)
    kwargs = {"betas": (b1, 0.5), "momentum_decay": inf, "lr": 1.0, "eps": 0.0}
    opt = lrcore.NAdam(p, **kwargs, bias_correction=bias_correction)
    opt.step(np.ones(1))
    p[...] = 0.0
    saved = {**opt.state_dict(), "t": t - 1, "steps": [t - 1]}
    saved["state"][0]["m"][...], saved["state"][0]["v"][...] = 1.0, 1.0
    opt.load_state_dict(saved)
    opt.step(np.ones(1))
    now, ahead = exactly(b1, inf, t), exactly(b1, inf, t + 1)
    if not bias_correction:
        now = ahead = Decimal(0)
    moved = (1 - Decimal(b1)) / (1 - now) + Decimal(b1) / (1 - ahead)
    assert p[0] == pytest.approx(-float(moved), rel=1e-12)
