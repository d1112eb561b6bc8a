"""A whole training loop, pickled or deep-copied: all of it refers to the copies."""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import all_same, same_states

import lrcore
from lrcore.schedules import Cosine

pytestmark = pytest.mark.isa

each_way = pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda loop: pickle.loads(pickle.dumps(loop))]
)
CURVATURE = np.array([1.0, 7.0])


def loop(lr=0.2):
    """Params, and all that a loop has beside them."""
    params = {"w": np.ones(2), "b": np.ones(2)}
    groups = [{"params": params["w"]}, {"params": params["b"], "lr": Cosine(lr, 500)}]
    opt = lrcore.SGD(groups, lr=lr, momentum=0.5, telemetry=True, ema_decay=0.9)
    seen = np.zeros(1)
    return SimpleNamespace(
        params=params,
        opt=opt,
        plateau=lrcore.ReduceOnPlateau.attach(opt, factor=0.5, patience=2),
        stopping=lrcore.EarlyStopping(patience=5, params=params, smoothing=2),
        scaler=lrcore.LossScaler(init_scale=8.0, growth_interval=7),
        monitor=lrcore.Monitor(opt, on_divergence="rollback", also=seen),
        noise=lrcore.GradientNoiseScale(small_batch_size=1, big_batch_size=2),
        seen=seen,
    )


def run(its, steps, lr=None):
    """Train on; return what a user would see."""
    out = []
    if lr:
        for group in its.opt.param_groups:
            group["lr"] = lr
    for t in steps:
        w, b = its.params["w"], its.params["b"]
        loss = float(0.5 * (CURVATURE * (w**2 + b**2)).sum())
        grads = [its.scaler.scale * CURVATURE * a for a in (w, b)]
        if t % 10 == 9:
            grads[0] = grads[0] * np.inf
        out.append(its.scaler.step(its.opt, grads))
        out.append(its.monitor.update(loss))
        out += [its.plateau.update(loss + t % 3), its.stopping.update(loss + t % 2)]
        its.noise.update(2.0 + t, 1.0)
        its.seen += 1
    return [*out, its.monitor.findings, its.monitor.rate(), its.scaler.scale,
            its.opt.report, its.opt.last_lr, its.noise.noise_scale]  # fmt: skip


def same(its, others):
    assert all_same(its.params.values(), others.params.values())
    assert same_states(its.opt.state, others.opt.state)
    assert its.seen.tolist() == others.seen.tolist()


@each_way
def test_the_copy_of_a_loop_goes_on_by_itself(way):
    first = loop()
    run(first, range(30))
    before = copy.deepcopy([first.params, first.seen])
    twin = way(first)
    assert twin.monitor.opt is twin.opt
    assert twin.opt.param_groups[0].params is twin.params["w"]
    assert [g["lr"] for g in twin.opt.param_groups] == [*twin.plateau]
    assert repr(run(twin, range(30, 60))) == repr(run(way(first), range(30, 60)))
    assert all_same(first.params.values(), before[0].values())
    assert first.seen.tolist() == before[1].tolist()
    assert repr(run(first, range(30, 60))) == repr(run(way(loop_at(30)), range(30, 60)))
    same(first, twin)
    for each in (first, twin):
        each.stopping.restore()
    same(first, twin)
    assert not all_same(first.params.values(), before[0].values())


def loop_at(steps):
    its = loop()
    run(its, range(steps))
    return its


@each_way
def test_a_copied_rollback_sets_the_copies_back(way):
    first = loop(0.01)
    run(first, range(70))
    twin = way(first)
    before = [p.copy() for p in first.params.values()]
    told = run(twin, range(70, 170), lr=1.9)
    assert "rolled back" in [finding.kind for finding in twin.monitor.findings]
    assert all_same(first.params.values(), before)
    assert repr(told) == repr(run(first, range(70, 170), lr=1.9))
    same(first, twin)


@each_way
def test_an_optimizer_that_has_its_monitor(way):
    """Which refers back to it."""

    opt = Watched({"w": np.ones(2)}, lr=0.1)
    opt.monitor = lrcore.Monitor(opt)
    opt.step({"w": np.ones(2)})
    opt.monitor.update(1.0)
    twin = way(opt)
    assert twin.monitor.opt is twin
    twin.step({"w": np.ones(2)})
    twin.monitor.update(2.0)
    assert twin.monitor.history.loss.tolist() == [1.0, 2.0]
    assert opt.monitor.history.loss.tolist() == [1.0]


class Watched(lrcore.SGD):
    """A user's own, with attributes."""
