"""Optimizers as methods of SciPy's minimize."""

import sys
from functools import partial

import numpy as np
import pytest
from helpers import MORE, same_bits
from minimized import quadratic, sgd, slope
from scipy.optimize import OptimizeResult, OptimizeWarning, minimize, rosen, rosen_der

import lrcore
import lrcore.scipy
from lrcore.schedules import Cosine

LENGTH = 5


# --- the way of a run -----------------------------------------------------------------


@pytest.mark.parametrize("name", lrcore.optimizers.available())
def test_the_points_are_those_of_a_loop(name):
    given = {"lr": 0.01, **MORE.get(name, {})}
    x = np.linspace(-1.0, 2.0, LENGTH)
    found = minimize(
        quadratic, x, jac=slope, method=lrcore.scipy.method(name.upper(), **given),
        options={"maxiter": 12, "return_all": True},
    )  # fmt: skip
    points, opt = [x.copy()], getattr(lrcore, name)(x, **given)
    for _ in range(12):
        opt.step(slope(x), quadratic(x))
        points.append(x.copy())
    assert len(found.allvecs) == 13
    assert all(map(same_bits, found.allvecs, points))
    assert (found.nit, found.status, found.success) == (12, 1, False)
    assert found.fun == quadratic(found.x) <= min(map(quadratic, points))
    assert same_bits(found.jac, slope(found.x))


@pytest.mark.parametrize("n", [2, 10])
def test_rosenbrocks_valley(n):
    adam = lrcore.scipy.method("adam", lr=0.003)
    found = minimize(rosen, np.zeros(n), jac=rosen_der, method=adam, tol=1e-6)
    assert found.success
    assert found.status == 0
    assert abs(found.jac).max() <= 1e-6
    np.testing.assert_allclose(found.x, 1.0, atol=1e-5)


def test_the_start_may_be_the_end_and_is_not_written():
    x = np.ones(3)
    found = minimize(quadratic, x, jac=slope, method=sgd())
    assert (found.nit, found.nfev, found.njev, found.success) == (0, 1, 1, True)
    x = np.zeros(3)
    minimize(quadratic, x, jac=slope, method=sgd())
    assert not x.any()


def test_args_and_a_function_that_returns_both():
    def both(x, centre):
        return quadratic(x, centre), slope(x, centre)

    for fun, jac in ((quadratic, slope), (both, True)):
        found = minimize(fun, [0, 0], args=(3.0,), jac=jac, method=sgd(), tol=1e-9)
        np.testing.assert_allclose(found.x, 3.0, atol=1e-9)
    assert found.nfev == found.njev == found.nit + 1


def test_without_a_gradient_differences_are_taken():
    calls = []

    def fun(x):
        calls.append(x)
        return quadratic(x)

    found = minimize(fun, [0.0, 0.0], method=sgd())
    assert found.success
    assert found.nfev == len(calls) == 3 * found.njev
    np.testing.assert_allclose(found.x, 1.0, atol=1e-5)


def test_each_call_has_a_vector_of_its_own():
    seen = []

    def fun(x):
        seen.append(x)
        x += 1.0  # on no account does this move the run
        return quadratic(x - 1.0)

    reused = np.empty(2)

    def jac(x):
        reused[...] = slope(x)
        return reused

    found = minimize(fun, [0.0, 0.0], jac=jac, method=sgd(), options={"maxiter": 3})
    assert [x[0] for x in seen] == [1.0, 1.5, 1.75, 1.875]
    assert same_bits(found.x, np.full(2, 0.875))
    assert same_bits(found.jac, np.full(2, -0.25))


def test_the_best_point_is_the_result():
    """A rate at which the first step is good, and those after it lead away."""
    schedule = lrcore.schedules.Join([Cosine(0.25, total=1), Cosine(3.0, total=9)], [1])
    way = lrcore.scipy.method("SGD", lr=schedule)
    found = minimize(quadratic, [0.0], jac=slope, method=way, options={"maxiter": 4})
    assert found.fun == quadratic(found.x) == 0.25
    assert (found.status, found.nit) == (1, 4)


@pytest.mark.parametrize(
    ("name", "more"),
    [("SGD", {"ema_decay": 0.5}), ("SGDScheduleFree", {"momentum": 0.1})],
)
def test_an_average_may_be_the_result(name, more):
    """At a rate at which x leaps from one side of the minimum to the other."""
    way = lrcore.scipy.method(name, lr=0.99, **more)
    found = minimize(quadratic, [0.0], jac=slope, method=way,
                     options={"maxiter": 9, "return_all": True})  # fmt: skip
    p = np.zeros(1)
    opt = getattr(lrcore, name)(p, lr=0.99, **more)
    for _ in range(9):
        opt.step(slope(p))
    with opt.averaged():
        assert same_bits(found.x, p)
    assert found.fun == quadratic(found.x) < min(map(quadratic, found.allvecs)) / 2
    assert found.nfev == 11


def test_a_rate_may_be_found():
    way = lrcore.scipy.method("SGD", lr="find", momentum=0.9)
    calls = []

    def fun(x):
        calls.append(1)
        return rosen(x)

    found = minimize(fun, [-1.2, 1.0], jac=rosen_der, method=way)
    assert found.lr_find.confidence
    assert found.fun < 1e-3
    assert found.nfev == len(calls) > found.nit + 100


# --- what ends a run, what is told ----------------------------------------------------


def test_callbacks():
    points, values = [], []

    def by_name(intermediate_result):
        points.append(intermediate_result.x)
        values.append(intermediate_result.fun)

    more = {"jac": slope, "method": sgd(), "options": {"maxiter": 3}}
    minimize(quadratic, [0.0], callback=by_name, **more)
    assert values == [quadratic(x) for x in points] == [0.25, 0.0625, 0.015625]
    plain = []
    minimize(quadratic, [0.0], callback=lambda xk: plain.append(xk), **more)
    assert plain == points


def test_a_callback_may_end_it():
    def stop(x):
        raise StopIteration

    found = minimize(quadratic, [0.0], jac=slope, callback=stop, method=sgd())
    assert (found.status, found.success, found.nit) == (99, False, 1)
    assert "StopIteration" in found.message


@pytest.mark.parametrize("which", ["value", "gradient"])
def test_what_is_not_finite_ends_it(which):
    def fun(x):
        return np.nan if which == "value" and x[0] > 0.6 else quadratic(x)

    def jac(x):
        return slope(x) * (np.inf if which == "gradient" and x[0] > 0.6 else 1)

    found = minimize(fun, [0.0], jac=jac, method=sgd())
    assert (found.status, found.success, found.nit) == (2, False, 2)
    assert found.fun == quadratic(found.x)
    assert np.isfinite(found.fun)
    assert isinstance(found, OptimizeResult)


def test_it_can_print(capsys):
    minimize(quadratic, [0.0], jac=slope, method=sgd(), options={"disp": True})
    out = capsys.readouterr().out
    assert out.startswith("Optimization terminated successfully")
    assert "Gradient evaluations: 19" in out


def test_what_it_does_not_take():
    run = partial(minimize, quadratic, [0.0, 0.0], jac=slope, method=sgd())
    with pytest.raises(ValueError, match=r"^constraints: expected none, found \{"):
        run(constraints={"type": "eq", "fun": sum})
    with pytest.warns(RuntimeWarning, match="SGD does not use second derivatives"):
        run(hess=lambda x: np.eye(2))
    with pytest.warns(OptimizeWarning, match="Unknown solver options: 'xtol'"):
        run(options={"xtol": 1})
    with pytest.raises(ValueError, match=r"^maxiter: expected an int >= 0, found -1"):
        run(options={"maxiter": -1})
    with pytest.raises(ValueError, match=r"^tol: expected a finite number >= 0"):
        run(tol=-1.0)
    with pytest.raises(ValueError, match=r"^jac: expected a gradient of shape \(2,\)"):
        minimize(quadratic, [0.0, 0.0], jac=lambda x: x[:1], method=sgd())
    with pytest.raises(TypeError, match=r"^fun: expected a function that returns a n"):
        minimize(lambda x: x, [0.0, 0.0], jac=slope, method=sgd())
    with pytest.raises(ValueError, match=r"^name: .*found 'adm'.*Adam"):
        lrcore.scipy.method("adm")
    with pytest.raises(TypeError, match=r"^SGD: unexpected keyword 'betas'"):
        minimize(quadratic, [0.0], jac=slope, method=sgd(betas=(0.9, 0.99)))


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "lrcore.scipy")
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r'pip install "lrcore\[scipy\]"'):
        import lrcore.scipy  # noqa: F401
