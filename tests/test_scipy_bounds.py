"""Bounds of optimizers as methods of SciPy's minimize, and options that are wrong."""

import numpy as np
import pytest
from helpers import same_bits
from minimized import quadratic, sgd, slope
from ranks import Alone
from scipy.optimize import Bounds, minimize

import lrcore
import lrcore.scipy


@pytest.mark.parametrize("jac", [slope, None])
@pytest.mark.parametrize(
    "bounds",
    [
        Bounds([-1, -1, 0.5], [0.5, np.inf, 0.5]),
        [(-1, 0.5), (-1, None), (0.5, 0.5)],
        ((-1, 0.5), np.array([-1, np.inf]), (0.5, 0.5)),
    ],
)
def test_a_run_stays_within_bounds(bounds, jac):
    seen = []

    def fun(x):
        seen.append(x)
        return quadratic(x)

    found = minimize(fun, [9.0, 0.0, 9.0], jac=jac, bounds=bounds, method=sgd())
    assert found.success
    np.testing.assert_allclose(found.x, [0.5, 1.0, 0.5], atol=1e-5)
    inside = np.array(seen)
    assert inside[:, 0].max() <= 0.5
    # A variable that cannot move has a difference all the same.
    assert jac is None or (inside[:, 2] == 0.5).all()


def test_a_bound_may_be_one_number():
    found = minimize(quadratic, [0.0, 0.0], jac=slope, bounds=Bounds(ub=0.25),
                     method=sgd())  # fmt: skip
    assert found.success
    assert same_bits(found.x, np.full(2, 0.25))


@pytest.mark.parametrize(
    "bounds", [5, [(0, 1)] * 3, [(0, 1, 2)] * 2, "ab", [(1, 0), (0, 1)], [("a", 1)] * 2]
)
def test_wrong_bounds(bounds):
    with pytest.raises(ValueError, match=r"^bounds: expected .*, found"):
        minimize(quadratic, [0.0, 0.0], jac=slope, bounds=bounds, method=sgd())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lr": -1.0}, "^lr: expected"),
        ({"lr": "found"}, "^lr: expected"),
        ({"learning_rate": 0.1}, "^SGD: .*learning_rate"),
        ({"lr": "find", "momentum": "a"}, "^momentum: expected"),
        ({"swa_start": 1, "mechanic": 3}, "^mechanic: expected"),
        ({"comm": Alone()}, "^comm: expected None in a method of minimize"),
    ],
    ids=str,
)
def test_wrong_options_are_refused_before_a_run(given, words):
    with pytest.raises((TypeError, ValueError), match=words):
        lrcore.scipy.method("sgd", **given)


def test_a_check_of_options_leaves_schedules_as_they_are():
    plateau = lrcore.ReduceOnPlateau(0.25)
    way = lrcore.scipy.method("sgd", lr=plateau)
    found = minimize(quadratic, [0.0], jac=slope, method=way, options={"maxiter": 9})
    same = minimize(quadratic, [0.0], jac=slope, method=sgd(), options={"maxiter": 9})
    assert same_bits(found.x, same.x)
