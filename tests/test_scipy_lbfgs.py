"""SciPy's L-BFGS on nested params."""

from functools import partial

import numpy as np
import pytest
from helpers import same_bits
from minimized import quadratic, slope
from scipy.optimize import minimize, rosen, rosen_der

import lrcore
import lrcore.scipy


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
    with pytest.raises(ValueError, match=r"^params: expected at least one array"):
        lrcore.scipy.LBFGS([])


def test_the_repr_of_lbfgs():
    p = {"w": np.zeros((30, 40)), "b": np.zeros(1)}
    assert repr(lrcore.scipy.LBFGS(p)) == "<LBFGS of 1,201 elements in 2 arrays>"
    assert repr(lrcore.scipy.LBFGS(p, bounds=(0, None), maxiter=9)) == (
        "<LBFGS of 1,201 elements in 2 arrays, bounds=(0, None), maxiter=9>"
    )
    bounds = (p, np.inf)
    assert len(repr(lrcore.scipy.LBFGS(p, bounds=bounds))) < 300
