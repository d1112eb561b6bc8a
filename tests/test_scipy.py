"""Optimizers as methods of SciPy's minimize, and its L-BFGS on nested params."""

import sys
from functools import partial

import numpy as np
import pytest
from helpers import MORE, same_bits
from ranks import Alone
from scipy.optimize import (
    Bounds,
    OptimizeResult,
    OptimizeWarning,
    minimize,
    rosen,
    rosen_der,
)

import lrcore
import lrcore.scipy
from lrcore.schedules import Cosine

LENGTH = 5


def quadratic(x, centre=1.0):
    return float(((x - centre) ** 2).sum())


def slope(x, centre=1.0):
    return 2 * (x - centre)


def sgd(**more):
    return lrcore.scipy.method("SGD", lr=0.25, **more)


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


# --- bounds ---------------------------------------------------------------------------


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


# --- L-BFGS ---------------------------------------------------------------------------


def valley(params):
    """Rosenbrock's function of all numbers of a nested dict."""

    def loss_and_grads():
        x = np.concatenate([params["a"].ravel(), params["b"][0]]).astype(float)
        g = rosen_der(x)
        return rosen(x), {"a": g[:4].reshape(2, 2), "b": [g[4:]]}

    return loss_and_grads


def nested(dtype="f8"):
    return {"a": np.zeros((2, 2), dtype), "b": [np.zeros(2, dtype)]}


def vector(params):
    return np.concatenate([params["a"].ravel(), params["b"][0]])


def test_lbfgs_is_scipys():
    params = nested()
    found = lrcore.scipy.LBFGS(params, gtol=1e-9).minimize(valley(params))
    wanted = minimize(rosen, np.zeros(6), jac=rosen_der, method="L-BFGS-B",
                      options={"gtol": 1e-9})  # fmt: skip
    assert found.success
    assert same_bits(found.x, wanted.x)
    assert same_bits(vector(params), wanted.x)
    assert (found.nit, found.nfev) == (wanted.nit, wanted.nfev)


def test_lbfgs_in_float32():
    params = nested("f4")
    lrcore.scipy.LBFGS(params).minimize(valley(params))
    np.testing.assert_allclose(vector(params), 1.0, atol=1e-2)


@pytest.mark.parametrize(
    "bounds",
    [(None, 0.5), (-1, {"a": np.full((2, 2), 0.5), "b": [np.array(0.5)]})],
)
def test_lbfgs_within_bounds(bounds):
    params = nested()
    found = lrcore.scipy.LBFGS(params, bounds=bounds).minimize(valley(params))
    assert found.success
    assert vector(params).max() == 0.5


def test_bounds_of_lbfgs_are_found_by_their_place():
    """Not by the order of a dict."""
    params = {"a": np.zeros(1), "b": np.zeros(1)}
    upper = {"b": np.full(1, 0.25), "a": np.full(1, 0.5)}

    def loss_and_grads():
        x = np.concatenate([*params.values()])
        return quadratic(x), dict(zip(params, np.split(slope(x), 2), strict=True))

    lrcore.scipy.LBFGS(params, bounds=(None, upper)).minimize(loss_and_grads)
    assert (params["a"][0], params["b"][0]) == (0.5, 0.25)
    wrong = {"a": np.ones(1), "c": np.ones(1)}
    with pytest.raises(ValueError, match=r"^bounds\[1\]: expected .*'b'.*found .*'c'"):
        lrcore.scipy.LBFGS(params, bounds=(None, wrong))


@pytest.mark.parametrize("where", ["loss", "callback"])
def test_an_error_puts_the_params_back(where):
    params, calls = nested(), []

    def broken(*_):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return valley(params)()

    opt = lrcore.scipy.LBFGS(params)
    given = (broken,) if where == "loss" else (valley(params), broken)
    with pytest.raises(KeyboardInterrupt):
        opt.minimize(*given)
    assert not vector(params).any()


def test_lbfgs_leaves_out_what_has_no_gradient():
    p = [np.zeros(1), np.full(1, 7.0)]
    lrcore.scipy.LBFGS(p).minimize(lambda: (quadratic(p[0]), [slope(p[0]), None]))
    assert same_bits(p[1], np.full(1, 7.0))
    np.testing.assert_allclose(p[0], 1.0)


def test_what_lbfgs_refuses():
    p = np.zeros(2)
    make = partial(lrcore.scipy.LBFGS, p)
    with pytest.raises(TypeError, match=r"^'lr': expected one of SciPy's options"):
        make(lr=1)
    with pytest.raises(TypeError, match=r"^bounds: expected a pair"):
        make(bounds=3)
    with pytest.raises(TypeError, match=r"^bounds\[1\]: expected a number or None"):
        make(bounds=(0, "b"))
    with pytest.raises(
        ValueError, match=r"^bounds\[0\]: expected arrays at \[''\] as in"
    ):
        make(bounds=([p, p], None))
    with pytest.raises(ValueError, match=r"^bounds: expected lower <= upper"):
        make(bounds=(1, 0))
    with pytest.raises(ValueError, match=r"^bounds\[0\]: expected an array that"):
        make(bounds=(np.zeros(3), None))
    with pytest.raises(ValueError, match=r"^grads: expected shape \(2,\), found \(3,"):
        make().minimize(lambda: (0.0, np.zeros(3)))
    with pytest.raises(TypeError, match=r"^the loss: expected a number"):
        make().minimize(lambda: ("a", np.zeros(2)))
    with pytest.raises(TypeError, match=r"^loss_and_grads: expected a function"):
        make().minimize(3)
    with pytest.raises(TypeError, match=r"returns \(loss, grads\), found 0\.5"):
        make().minimize(lambda: 0.5)
    with pytest.raises(ValueError, match=r"^params: found no array"):
        lrcore.scipy.LBFGS([])


def test_the_repr_of_lbfgs():
    p = {"w": np.zeros((30, 40)), "b": np.zeros(1)}
    assert repr(lrcore.scipy.LBFGS(p)) == "<LBFGS of 1,201 elements in 2 arrays>"
    assert repr(lrcore.scipy.LBFGS(p, bounds=(0, None), maxiter=9)) == (
        "<LBFGS of 1,201 elements in 2 arrays, bounds=(0, None), maxiter=9>"
    )
    bounds = (p, np.inf)
    assert len(repr(lrcore.scipy.LBFGS(p, bounds=bounds))) < 300
