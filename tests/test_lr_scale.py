"""Factors of the rate of groups (`lr_scale`)."""

import numpy as np
import pytest
from cases import cases
from helpers import KINDS, all_same, each_kind, same_states
from patterns import leaves, nested, network, run

import lrcore
from lrcore.schedules import Cosine, Linear


@each_kind
@cases("lr", [0.03, Linear(0.06, 0.01, 5), lambda t: 0.03 / (t + 1)])
def test_lr_scale_is_a_factor_of_lr(name, lr):
    """To the bit: a scale of a power of 2 and a rate times it."""
    scaled = (lambda t: lr(t) / 4) if callable(lr) else lr / 4
    params, twins = network(), network()
    own = {"weight_decay": 0.1, "decoupled_weight_decay": name != "DAdaptSGD"}
    opt = KINDS[name](params, lr=lr, lr_scale=0.25, **own)
    twin = KINDS[name](twins, lr=scaled, **own)
    run(opt, params)
    run(twin, twins)
    assert all_same(leaves(params), leaves(twins))
    assert same_states(opt.state, twin.state)
    assert opt.last_lr == twin.last_lr


SCALES = {"layers.0.*": {"lr_scale": 0.25}, "layers.1.*": {"lr_scale": 0.5}}


def test_the_ratio_survives_whatever_sets_the_rate():
    opt = lrcore.SGD(network(), lr=1.0, groups=SCALES)

    def ratios():
        assert opt.step(nested([p * 0 for p in leaves(network())]))
        first, *others = opt.last_lr
        return first, [rate / first for rate in others]

    assert ratios() == (1.0, [0.25, 0.5])
    opt.lr = 0.5
    assert ratios() == (0.5, [0.25, 0.5])
    opt.multiply_lr(0.5)
    assert ratios() == (0.25, [0.25, 0.5])
    opt.lr = Linear(1.0, 0.0, total=8)
    assert ratios() == (1 - 3 / 8, [0.25, 0.5])
    opt.multiply_lr(0.5)
    assert ratios() == ((1 - 4 / 8) / 2, [0.25, 0.5])
    opt.lr = lrcore.ReduceOnPlateau(1.0, factor=0.5, patience=0)
    opt.param_groups[0]["lr"].update(1.0)
    opt.param_groups[0]["lr"].update(2.0)
    assert ratios() == (0.5, [0.25, 0.5])
    twin = lrcore.SGD(network(), groups=SCALES)
    twin.load_state_dict(opt.state_dict())
    assert [group["lr_scale"] for group in twin.param_groups] == [1.0, 0.25, 0.5]
    opt.param_groups[1]["lr_scale"] = 0.125
    assert ratios() == (0.5, [0.125, 0.5])
    opt.lr_scale = 1.0
    assert ratios() == (0.5, [1.0, 1.0])


def test_a_range_test_keeps_the_ratio():
    params = network()
    groups = {**SCALES, "head.*": {"lr": 0.5}}
    opt = lrcore.SGD(params, lr=1.0, groups=groups)

    def loss_and_grad(batch):
        arrays = leaves(params)
        return sum((p * p).sum() for p in arrays), nested([2 * p for p in arrays])

    before = [p.copy() for p in leaves(params)]
    found = lrcore.lr_find(opt, loss_and_grad, range(10**6), trial_steps=0)
    assert all_same(leaves(params), before)
    found.apply(opt)
    rates = [group.rate(0) for group in opt.param_groups]
    assert rates == [found.suggestion * k for k in (1, 0.25, 0.5, 0.5)]


def test_a_scheduled_scale():
    """As for unfreezing a layer little by little."""
    params, twins = network(), network()
    grow, lr = Linear(0.0, 1.0, total=4), Cosine(0.5, total=20)
    for own, other in (
        ({"lr": lr}, lambda t: lr(t) * grow(t)),
        ({"lr": 0.5, "momentum": lambda t: 0.5}, lambda t: 0.5 * grow(t)),
    ):
        groups = {"head.*": {"lr_scale": grow}}
        opt = lrcore.SGD(params, groups=groups, **own)
        twin = lrcore.SGD(twins, groups={"head.*": {"lr": other}}, **own)
        run(opt, params)
        run(twin, twins)
        assert all_same(leaves(params), leaves(twins))
        assert opt.last_lr == twin.last_lr
        assert opt.lr_scale == 1.0


@each_kind
def test_a_scale_of_0_freezes(name):
    params = network()
    opt = KINDS[name](params, groups={"layers.0.*": {"lr_scale": 0.0}})
    run(opt, params)
    before = network()
    assert all_same(params["layers"][0].values(), before["layers"][0].values())
    assert not all_same(params["layers"][1].values(), before["layers"][1].values())


def test_the_rate_that_is_reported_is_the_one_used():
    p = np.ones(2)
    opt = lrcore.SGD(p, lr=0.5, lr_scale=0.5, telemetry=True)
    monitor = lrcore.Monitor(opt)
    opt.step(p * 0.1)
    monitor.update(1.0)
    assert (opt.last_lr, opt.report.lr, opt.lr) == ([0.25], 0.25, 0.5)
    quiet = lrcore.SGD(p, lr=0.5, lr_scale=0.5)
    other = lrcore.Monitor(quiet)
    quiet.step(p * 0.1)
    other.update(1.0)
    assert monitor.history.lr.tolist() == other.history.lr.tolist() == [0.25]


def test_a_product_out_of_range_is_refused():
    p = np.ones(2)
    opt = lrcore.SGD(p, lr=1e300)
    said = "^lr_scale: found 1e[+]10, times which lr = 1e[+]300 is out of range$"
    with pytest.raises(ValueError, match=said):
        opt.lr_scale = 1e10
    assert opt.lr_scale == 1.0
    for lr, lr_scale in ((lambda t: 1e300, 1e10), (1e300, lambda t: 1e10)):
        scheduled = lrcore.SGD(p, lr=lr, lr_scale=lr_scale)
        with pytest.raises(ValueError, match=said):
            scheduled.step(p.copy())
        assert (p.tolist(), scheduled.t) == ([1.0, 1.0], 0)
