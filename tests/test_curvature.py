"""The curvature along a step, against its formula in NumPy, and what 2 means."""

import pickle
from copy import deepcopy
from math import isnan

import numpy as np
import pytest

import lrcore

SIZES = (3, 2050)


def params(dtype=np.float64):
    rng = np.random.default_rng(1)
    return [rng.normal(size=n).astype(dtype) for n in SIZES]


def gradients(p, t):
    """Those of a quadratic, with noise that depends on the step."""
    rng = np.random.default_rng(t)
    return [
        (np.linspace(1, 3, a.size) * a + 0.1 * rng.normal(size=a.size)).astype(a.dtype)
        for a in p
    ]


def flat(arrays):
    return np.concatenate([a.astype(np.float64) for a in arrays])


def along(old, new):
    """Sharpness and edge from two pairs of params and gradients."""
    dp, dg = new[0] - old[0], new[1] - old[1]
    return dp @ dg / (dp @ dp), 1 - dp @ new[1] / (dp @ old[1])


def same(found, wanted):
    assert (found.sharpness, found.edge) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("kind", ["SGD", "AdamW", "Lion", "DoG", "Muon"])
def test_it_is_the_formula_for_any_optimizer(kind, dtype):
    own = params(dtype)
    opt = getattr(lrcore, kind)(own, telemetry=True, curvature=True)
    before = None
    for t in range(6):
        grads = gradients(own, t)
        now = flat(own), flat(grads)
        opt.step(grads)
        if before is None:
            assert isnan(opt.report.sharpness)
            assert isnan(opt.report.edge)
        else:
            same(opt.report, along(before, now))
        before = now


def test_reports_of_arrays_have_their_own():
    own = params()
    opt = lrcore.SGD([{"params": p} for p in own], 0.1, telemetry=True, curvature=True)
    pairs = []
    for t in range(2):
        grads = gradients(own, t)
        pairs.append([(p.copy(), g) for p, g in zip(own, grads, strict=True)])
        opt.step(grads)
    for per in ("group", "tensor"):
        found = opt.reports(per)
        for i, report in enumerate(found if per == "group" else found.values()):
            same(report, along(pairs[0][i], pairs[1][i]))


def test_gradients_are_those_before_clipping_of_what_is_minimised():
    own = params()
    opt = lrcore.SGD(
        own, 0.1, telemetry=True, curvature=True, accumulate=2, grad_scale=0.5,
        maximize=True, clip_norm=0.01, clip_value=0.5,
    )  # fmt: skip
    pairs = []
    for t in range(3):
        calls = [[-4 * g for g in gradients(own, 10 * t + k)] for k in (0, 1)]
        mean = sum(flat(g) for g in calls) / 4
        pairs.append((flat(own), -mean))
        for grads in calls:
            opt.step(grads)
    same(opt.report, along(*pairs[1:]))


def test_without_momentum_the_edge_is_lr_times_the_preconditioned_sharpness():
    """As in Cohen et al. 2022: the curvature in the norm of the preconditioner."""
    diagonal, lr = np.array([1.0, 8.0, 30.0]), 0.1
    p = np.array([1.0, -2.0, 0.5])
    opt = lrcore.RMSprop(p, lr, alpha=0.9, eps=0.0, telemetry=True, curvature=True)
    for _ in range(5):
        old = p.copy()
        opt.step(diagonal * p)
        root = np.sqrt(opt.state[0]["v"])
    dp = p - old
    opt.step(diagonal * p)
    wanted = lr * (dp @ (diagonal * dp)) / (dp @ (root * dp))
    assert opt.report.edge == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("product", [0.5, 1.9, 2.1])
def test_gradient_descent_diverges_from_2_on(product):
    p = np.array([1.0])
    opt = lrcore.SGD(p, product / 7, telemetry=True, curvature=True)
    for _ in range(4):
        before = abs(p[0])
        opt.step(7 * p)
    assert opt.report.edge == pytest.approx(product)
    assert opt.report.sharpness * opt.lr == pytest.approx(product)
    assert (abs(p[0]) > before) == (opt.report.edge > 2)


def test_a_step_that_changed_nothing_has_none_and_the_next_one_has():
    own = params()
    opt = lrcore.SGD(own, 0.1, telemetry=True, curvature=True, skip_nonfinite=True)
    opt.step(gradients(own, 0))
    bad = gradients(own, 1)
    bad[0][0] = np.nan
    assert not opt.step(bad)
    opt.step(gradients(own, 2))
    assert isnan(opt.report.sharpness)
    old = flat(own), flat(gradients(own, 3))
    opt.step(gradients(own, 3))
    assert not isnan(opt.report.sharpness)
    now = flat(own), flat(gradients(own, 4))
    opt.step(gradients(own, 4))
    same(opt.report, along(old, now))


def test_an_array_without_gradient_is_left_out():
    own = params()
    opt = lrcore.SGD(own, 0.1, telemetry=True, curvature=True)
    pairs = []
    for t in range(3):
        grads = gradients(own, t)
        pairs.append((own[0].copy(), grads[0]))
        opt.step([grads[0], None if t else grads[1]])
    same(opt.report, along(*pairs[1:]))


@pytest.mark.parametrize("how", ["dict", "pickle", "copy", "file"])
def test_a_run_goes_on_as_if_it_had_not_stopped(how, tmp_path):
    own = params("f4")
    opt = lrcore.Adam(own, 0.1, telemetry=True, curvature=True)
    for t in range(3):
        opt.step(gradients(own, t))
    if how == "pickle":
        other, then = pickle.loads(pickle.dumps((own, opt)))
    elif how == "copy":
        other, then = deepcopy((own, opt))
    else:
        other = deepcopy(own)
        then = lrcore.Adam(other, telemetry=True, curvature=True)
        if how == "dict":
            then.load_state_dict(opt.state_dict())
        else:
            opt.save(tmp_path / "run")
            then.load(tmp_path / "run")
    opt.step(gradients(own, 3))
    then.step(gradients(other, 3))
    assert not isnan(opt.report.edge)
    assert then.report == opt.report


def test_it_changes_no_bit_of_a_run():
    ends = []
    for option in (False, True):
        own = params("f4")
        opt = lrcore.AdamW(own, 0.1, telemetry=True, curvature=option, clip_norm=1.0)
        for t in range(4):
            opt.step(gradients(own, t))
        ends.append(own)
        assert (opt.report.edge is None) is not option
    assert all((a == b).all() for a, b in zip(*ends, strict=True))


def test_what_cannot_work_is_refused():
    own = params()
    with pytest.raises(ValueError, match=r"curvature: .*telemetry=True"):
        lrcore.SGD(own, curvature=True)
    opt = lrcore.SGD(own, telemetry=True, curvature=True)
    with pytest.raises(ValueError, match="curvature: used at construction only"):
        opt.curvature = False
    with pytest.raises(ValueError, match=r"curvature: .*at once: step them"):
        opt.step_one(0, np.ones(3))
    with pytest.raises(ValueError, match=r"expected arrays \['last_g', 'last_p'\]"):
        opt.load_state_dict(lrcore.SGD(own).state_dict())
