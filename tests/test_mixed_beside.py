"""A Mixed beside a loss scaler, a range test, a sweep and a monitor."""

import numpy as np
from mixtures import MUON, gradients, network, same

import lrcore
from lrcore import Mixed


def test_a_loss_scaler():
    params, twins = network(), network()
    opt, twin = Mixed(MUON, params), Mixed(MUON, twins)
    scaler = lrcore.LossScaler(init_scale=4.0)
    grads = gradients(params, 0)
    assert scaler.step(opt, {k: 4 * g for k, g in grads.items()})
    twin.step(grads)
    assert same(params, twins)
    grads["head"][...] = np.inf
    assert scaler.step(opt, grads) is False
    assert scaler.scale == 2.0
    assert same(params, twins)


def quadratic(params):
    def loss_and_grad(batch):
        return (
            sum((p * p).sum() for p in params.values()),
            {k: 2 * p for k, p in params.items()},
        )

    return loss_and_grad


def test_a_range_test_and_a_sweep():
    params = network()
    chosen = {"hidden.*": (lrcore.SGD, {"lr": 0.25}), "*": (lrcore.SGD, {"lr": 0.5})}
    opt = Mixed(chosen, params)
    before = {k: p.copy() for k, p in params.items()}
    found = lrcore.lr_find(opt, quadratic(params), range(10**6), trial_steps=0)
    assert same(params, before)
    assert found.suggestion > 0
    found.apply(opt)
    first, second = [group["lr"] for group in opt.param_groups]
    assert second == 2 * first
    with lrcore.LRSweep(opt, trial_steps=0) as sweep:
        for lr in sweep:
            loss, grads = quadratic(params)(None)
            sweep.record(loss)
            opt.step(grads)
            assert opt.last_lr == [lr, lr * 2]
    assert same(params, before)


def test_a_monitor_rolls_all_parts_back():
    params = network()
    chosen = {"embed": (lrcore.SGD, {"lr": 3.0}), "*": (lrcore.SGD, {"lr": 0.75})}
    opt = Mixed(chosen, params)
    monitor = lrcore.Monitor(opt, on_divergence="rollback")
    for _ in range(200):
        loss, grads = quadratic(params)(None)
        opt.step(grads)
        monitor.update(loss)
    assert monitor.history.lr[0] == 3.0
    first, second = opt.last_lr
    assert first < 1.0  # at which the loss no longer grows
    assert second == first / 4
    assert quadratic(params)(None)[0] < quadratic(network())(None)[0]
