"""Schedule-Free learning: the average that the params stand for."""

import numpy as np
import pytest
from helpers import all_same, bits_of, close, draw, each_dtype, fresh

import lrcore
from lrcore.schedules import Linear

pytestmark = pytest.mark.isa

NAMES = ["AdamWScheduleFree", "SGDScheduleFree"]
each_name = pytest.mark.parametrize("name", NAMES)


@each_name
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("momentum", [lambda t: 0.9, lambda t: 0.9 - 0.08 * t])
def test_params_and_average_are_the_papers(name, weight_decay, momentum):
    """x, y and z kept by hand, each by its own equation."""
    params = fresh()
    y = [p.copy() for p in params]
    x, z, v = [p.copy() for p in y], [p.copy() for p in y], [0 * p for p in y]
    lr, sum_of_weights, lr_max = Linear(0.01, 0.1, total=5), 0.0, 0.0
    own = {"lr": lr, "r": 1.0, "weight_decay": weight_decay}
    if name == "AdamWScheduleFree":
        opt = lrcore.AdamWScheduleFree(params, betas=(momentum, 0.999), **own)
    else:
        opt = lrcore.SGDScheduleFree(params, momentum=momentum, **own)
    assert all_same(opt.x, params)
    for t in range(1, 11):
        grads = draw(params, t)
        opt.step(grads)
        lr_max = max(lr_max, lr(t - 1))
        weight = t * lr_max**2
        sum_of_weights += weight
        for k, g in enumerate(grads):
            d = g
            if name == "AdamWScheduleFree":
                v[k] = 0.999 * v[k] + 0.001 * g * g
                d = g / (np.sqrt(v[k] / (1 - 0.999**t)) + 1e-8)
            z[k] = z[k] - lr(t - 1) * (d + weight_decay * y[k])
            x[k] = x[k] + weight / sum_of_weights * (z[k] - x[k])
            b = momentum(t - 1)
            y[k] = (1 - b) * z[k] + b * x[k]
        close(params, y)
        close(opt.x, x)
        close([state["z"] for state in opt.state], z)


@each_name
@each_dtype
def test_the_average_is_lent_and_params_given_back_to_the_bit(name, dtype):
    params = fresh(dtype)
    opt = getattr(lrcore, name)(params, lr=0.1, ema_decay=0.5)
    for t in range(4):
        opt.step(draw(params, t))
    before, wanted = bits_of(opt, params), opt.x
    assert [a.dtype for a in wanted] == [p.dtype for p in params]
    with opt.averaged("x"):
        assert all_same(params, wanted)
        with pytest.raises(RuntimeError, match="are lent to"):
            opt.step(draw(params, 5))
    assert bits_of(opt, params) == before
    with pytest.raises(ValueError, match=r"name: expected one of \['ema', 'x'\]"):
        opt.averaged().__enter__()


@each_name
def test_each_group_has_a_momentum_and_weights_of_its_own(name):
    p, q = np.ones(2), np.ones(2)
    other = {"betas": (0.5, 0.9)} if name == "AdamWScheduleFree" else {"momentum": 0.5}
    groups = [{"params": p}, {"params": q, "lr": 0.5, **other}]
    opt = getattr(lrcore, name)(groups, lr=0.1)
    alone, twin = np.ones(2), getattr(lrcore, name)
    twin = twin(alone, lr=0.5, **other)
    for g in (1.0, -2.0, 3.0):
        opt.step([np.full(2, g), np.full(2, g)])
        twin.step(np.full(2, g))
    assert all_same([q, opt.x[1]], [alone, twin.x])
    assert opt.state[0]["weight_sum"] == pytest.approx(3 * 0.1**2)
    assert opt.state[1]["weight_sum"] == pytest.approx(3 * 0.5**2)


@each_name
def test_to_set_the_momentum_moves_nothing_before_the_next_step(name):
    params = fresh()
    opt = getattr(lrcore, name)(params, lr=0.1)
    for t in range(4):
        opt.step(draw(params, t))
    x = opt.x
    adam = name == "AdamWScheduleFree"
    opt.param_groups[0]["betas" if adam else "momentum"] = (0.5, 0.9) if adam else 0.5
    assert all_same(opt.x, x)


@pytest.mark.parametrize("name", [*NAMES, "DAdaptSGD"])
def test_lookahead_is_refused(name):
    with pytest.raises(ValueError, match=r"^lookahead_steps: expected None"):
        getattr(lrcore, name)(np.ones(2), lookahead_steps=2)


def test_a_step_that_is_skipped_weighs_nothing():
    p = np.ones(2)
    opt = lrcore.SGDScheduleFree(p, lr=0.5, skip_nonfinite=True)
    assert not opt.step(np.array([1.0, np.nan]))
    assert opt.state[0]["weight_sum"] == opt.state[0]["lr_max"] == 0
    assert opt.step(np.ones(2))
    assert opt.state[0]["weight_sum"] == 0.25


def test_a_rate_of_zero_moves_nothing():
    p = np.ones(2)
    opt = lrcore.SGDScheduleFree(p, lr=lambda t: 0.0 if t == 0 else 0.5)
    opt.step(np.ones(2))
    assert p.tolist() == opt.x.tolist() == [1, 1]
    opt.step(np.ones(2))
    assert opt.x.tolist() == [0.5, 0.5]
