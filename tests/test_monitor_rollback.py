"""The monitor's rollback: to which step, to the bit, at which rate."""

import re
from math import nan

import numpy as np
import pytest
from helpers import bits_of
from watching import bowl, check_all, kinds

import lrcore
from lrcore import Monitor, ReduceOnPlateau
from lrcore.schedules import Cosine


def new_run(build=lrcore.Adam, **more):
    """Params and an optimizer, with some state."""
    params = [np.linspace(-1, 1, 6).reshape(2, 3), np.linspace(1, 2, 4)]
    return params, build(params, **{"lr": 0.01, **more})


def gradients(params, k):
    rng = np.random.default_rng(k)
    return [p + 0.1 * rng.normal(size=p.shape) for p in params]


def back_to(finding):
    assert finding.kind == "rolled back"
    assert "the learning rate is 0.1 times what it was there" in finding.remedy
    return int(re.search(r"those of step (\d+)", finding.remedy)[1])


def run_into_nan(params, opt, good, *, steps=400, **more):
    """Steps with good losses, then NaN; until it is rolled back."""
    monitor = Monitor(opt, on_divergence="rollback", **more)
    for k in range(steps):
        opt.step(gradients(params, k))
        finding = monitor.update(1 / (k + 1) if k < good else nan)
        if finding and finding.kind == "rolled back":
            return monitor, finding
    return monitor, None


MIXES = {
    "Adam": {},
    "ema": {"ema_decay": 0.9, "weight_decay": 0.1},
    "accumulate": {"accumulate": 3},
    "report": {"telemetry": True, "skip_nonfinite": True, "clip_norm": 1.0},
    "SGD": {"build": lrcore.SGD, "momentum": 0.9, "lookahead_steps": 5},
    "Adafactor": {"build": lrcore.Adafactor},
}


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("good", [0, 5, 64, 65, 150, 300])
def test_rollback_to_the_bit(mix, good):
    """Params and state are those of a run that stopped at the step that is told."""
    params, opt = new_run(**MIXES[mix])
    monitor, finding = run_into_nan(params, opt, good)
    step = back_to(finding)
    assert step == finding.since
    other, stopped = new_run(**MIXES[mix])
    for k in range(step):
        stopped.step(gradients(other, k))
    assert bits_of(opt, params) == bits_of(stopped, other)
    assert opt.lr == stopped.lr * 0.1
    # The params that gave the first NaN are those after step `good`.
    assert step < max(good, 1)
    assert good < 65 or step >= 64  # and there was a snapshot to go back to
    check_all(monitor)
    # It goes on from there as the other does at that rate.
    stopped.lr *= 0.1
    for k in range(20):
        assert opt.step(gradients(params, k)) == stopped.step(gradients(other, k))
    assert bits_of(opt, params) == bits_of(stopped, other)


@pytest.mark.parametrize("at", [1, 20, 63, 64, 65, 100, 127, 128, 129, 300])
def test_params_that_are_poisoned_do_not_come_back(at):
    """A NaN gradient in whatever step: the snapshot is from before it."""
    w = np.ones(3)
    opt = lrcore.SGD(w, lr=0.01)
    monitor = Monitor(opt, on_divergence="rollback")
    for k in range(1, at + 100):
        loss = float(w @ w)
        opt.step(np.full(3, nan) if k == at else 2 * w)
        finding = monitor.update(loss)
        if finding and finding.kind == "rolled back":
            assert np.isfinite(w).all()
            assert back_to(finding) < at
            break
    else:
        pytest.fail("not rolled back")


def test_what_is_kept_is_not_from_the_midst_of_a_spike():
    """Nor from a step that raises an alarm: the last time when all was well."""
    params, opt = new_run()
    monitor = Monitor(opt, on_divergence="rollback")
    for k in range(1, 400):
        opt.step(gradients(params, k))
        spikes = dict.fromkeys((150, 200, 240), 1e5)
        finding = monitor.update(nan if k > 260 else spikes.get(k, 1 / k))
        if finding and finding.kind == "rolled back":
            assert back_to(finding) == 128
            break
    else:
        pytest.fail("not rolled back")


def test_a_run_that_diverges_is_mended():
    """The whole point: at a rate that is 1.1 times too high."""
    rollback = {"on_divergence": "rollback"}
    monitor, losses = bowl(1.1 * 2 / 7, 600, known=rollback)
    assert losses[-1] < 1e-3
    assert monitor.opt.lr == 1.1 * 2 / 7 * 0.1
    assert kinds(monitor.findings)[0] == "rolled back"
    assert "diverging" not in kinds(monitor.findings)  # it is said already
    assert monitor.rate() == "fine"
    check_all(monitor)


def rate_at(t):
    return 0.02 / (1 + t)


def a_plateau():
    plateau = ReduceOnPlateau(0.02, factor=0.5, patience=0)
    for loss in (1.0, 1.0):
        plateau.update(loss)
    return plateau


RATES = {
    "number": lambda: 0.02,
    "schedule": lambda: Cosine(0.02, total=1000).warmup(10),
    "callable": lambda: rate_at,
    "plateau": a_plateau,
    "plateau of a schedule": lambda: ReduceOnPlateau(Cosine(0.02, total=1000)),
}


@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize("shared", [False, True])
def test_the_rate_is_lowered_each_time(kind, shared):
    """Over three rollbacks, with a good while between; one rate of two groups too."""
    a, b = np.ones(3), np.ones(2)
    rate, other = RATES[kind](), 0.5
    if shared:
        opt = lrcore.Adam([{"params": a}, {"params": b}], lr=rate)
        other = rate
    else:
        opt = lrcore.Adam([{"params": a}, {"params": b, "lr": other}], lr=rate)
    twin = lrcore.Adam(np.ones(1), lr=RATES[kind]())
    monitor, back = Monitor(opt, on_divergence="rollback"), 0
    for k in range(1200):
        opt.step([np.ones(3), np.ones(2)])
        finding = monitor.update(1 / (k + 1) if k % 400 < 300 else nan)
        if not finding or finding.kind != "rolled back":
            continue
        back += 1
        for t in (opt.t, opt.t + 1, opt.t + 50):
            twin.t = opt.t = t
            assert opt.lr == pytest.approx(twin.lr * 0.1**back, rel=1e-15)
            second = opt.param_groups[1].at("lr", t)
            expected = opt.lr if shared else other * 0.1**back
            assert second == pytest.approx(expected, rel=1e-15)
        lr = opt.param_groups[0]["lr"]
        if kind.startswith("plateau"):
            assert lr is rate  # which the caller goes on to update
        opt.load_state_dict(opt.state_dict())
    assert back >= 3
    if shared:
        first, second = opt.param_groups
        assert first["lr"] is second["lr"]


def test_max_rollbacks():
    """Then it only says so, and leaves all as it is."""
    params, opt = new_run(lrcore.SGD, lr=1.0)
    monitor = Monitor(opt, on_divergence="rollback", max_rollbacks=2)
    for _ in range(600):
        opt.step([0 * p for p in params])
        monitor.update(nan)
    assert kinds(monitor.findings).count("rolled back") == 2
    assert opt.lr == pytest.approx(0.01, rel=1e-15)
    assert opt.t > 400
    assert "non-finite loss" in kinds(monitor.diagnose())
    params, opt = new_run(lrcore.SGD, lr=1.0)
    monitor, finding = run_into_nan(params, opt, 10, max_rollbacks=0)
    assert finding is None
    assert kinds(monitor.findings).count("non-finite loss") == 1
    assert opt.lr == 1.0


def test_without_rollback_nothing_is_touched():
    params, opt = new_run()
    other, alone = new_run()
    monitor = Monitor(opt)
    for k in range(200):
        opt.step(gradients(params, k))
        alone.step(gradients(other, k))
        monitor.update(1.0 if k < 100 else nan)
    assert "non-finite loss" in kinds(monitor.findings)
    assert bits_of(opt, params) == bits_of(alone, other)
    assert opt.lr == alone.lr


def test_asked_right_after_a_rollback():
    """There is no step since then to look at."""
    params, opt = new_run()
    monitor, _ = run_into_nan(params, opt, 100)
    assert kinds(monitor.diagnose()) == ["unknown"]
    assert monitor.rate() == "unknown"
    repr(monitor)
    check_all(monitor)
    steps = monitor.history.steps.sum()
    for _ in range(5):
        monitor.update(nan)
    (finding,) = monitor.diagnose()
    # Of the steps since then.
    assert "5 of 5 steps" in finding.evidence
    assert finding.since == steps + 1
    check_all(monitor)


@pytest.mark.parametrize("spoilt", ["param", "also"])
def test_a_rollback_into_a_read_only_array_changes_nothing(spoilt):
    params, opt = new_run(lrcore.SGD, lr=0.5)
    seen = np.zeros(2)
    monitor = Monitor(opt, on_divergence="rollback", also=seen)
    for k in range(20):
        opt.step(gradients(params, k))
        seen += 1
        monitor.update(1.0)
    before = bits_of(opt, params)
    array = params[0] if spoilt == "param" else seen
    array.flags.writeable = False

    def fails():
        for _ in range(30):
            monitor.update(nan)

    with pytest.raises(ValueError, match=r"^(params\[0\]|also): found a read-only"):
        fails()
    array.flags.writeable = True
    assert bits_of(opt, params) == before
    assert opt.lr == 0.5
    assert (seen == 20).all()
