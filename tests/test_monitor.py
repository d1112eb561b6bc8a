"""The monitor: what it tells, and when; what it can be fed.

The kinds of findings are in test_monitor_kinds.py, what a history keeps is in
test_history.py, the pictures are in test_plots.py.  bench/monitor.py measures how often
the monitor is right on many runs.
"""

import math
from fractions import Fraction
from math import inf, nan

import numpy as np
import pytest
from watching import check_all, falling, kinds, noisy, watched

import lrcore
from lrcore import LossScaler, Monitor
from lrcore.monitor import Finding
from lrcore.schedules import Cosine

# --- the words ------------------------------------------------------------------------


def test_a_finding_in_a_sentence():
    finding = Finding("flat", "warning", 9, 1, "it stays", "short steps", "raise it")
    assert str(finding) == "flat at step 9: it stays: short steps; raise it"
    assert str(finding._replace(cause="", remedy="")) == "flat at step 9: it stays"


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e-3, 1.0, 137.0, 12345.0, 1e9, 1e300])
def test_words_of_losses_of_any_scale(scale):
    """And the same findings: the thresholds have no units."""
    shapes = {
        "falls": noisy(falling(300)),
        "grows": noisy([1.03 ** min(k, 250) for k in range(300)]),
        "stays": noisy([1.0] * 300),
        "turns": [1 + 0.9 * (-1) ** k for k in range(300)],
        "ends": noisy(falling(200)) + [inf] * 100,
    }
    for name, losses in shapes.items():
        monitor = watched([scale * loss for loss in losses])
        check_all(monitor)
        unit = watched(losses)
        assert kinds(monitor.findings) == kinds(unit.findings), name
        assert kinds(monitor.diagnose()) == kinds(unit.diagnose()), name


# --- what is told, and when -----------------------------------------------------------


def test_update_returns_what_it_adds_to_findings():
    losses = [*falling(200), *(0.05 * 1.1**k for k in range(200)), *[nan] * 200]
    monitor, returned = Monitor(), []
    for loss in losses:
        before = len(monitor.findings)
        finding = monitor.update(loss)
        new = monitor.findings[before:]
        assert finding is (new[0] if new else None)
        returned += new
    assert returned == monitor.findings
    assert "non-finite loss" in kinds(returned)
    assert [f.step for f in returned] == sorted(f.step for f in returned)


def test_a_finding_stands_once_while_it_lasts():
    monitor = watched([*[1.0] * 100, *[nan] * 3000], lr=0.1)
    assert kinds(monitor.findings).count("non-finite loss") == 1
    grows = watched([1.01 ** min(k, 2000) for k in range(5000)], lr=0.1)
    assert kinds(grows.findings).count("diverging") == 1


def test_too_low_waits():
    """A run that has only begun has not descended either."""
    monitor = Monitor()
    for k in range(60):
        assert monitor.update(1.0 - 1e-4 * k) is None
    assert monitor.findings == []
    assert monitor.rate() == "too low"  # as if it ended here


def test_findings_are_bounded():
    """The last hundred of them."""
    w = np.ones(3)
    opt = lrcore.SGD(w, lr=0.1)
    monitor = Monitor(opt, on_divergence="rollback", max_rollbacks=1000)
    returned = []
    for _ in range(4000):
        before = [id(f) for f in monitor.findings]
        monitor.update(nan)
        returned += [f for f in monitor.findings if id(f) not in before]
        assert len(monitor.findings) <= 100
    assert len(returned) > 120
    assert monitor.findings == returned[-100:]
    check_all(monitor)


def test_an_empty_monitor():
    monitor = Monitor()
    assert repr(monitor) == "<Monitor: 0 steps, learning rate unknown>"
    assert monitor.rate() == "unknown"
    (finding,) = monitor.diagnose()
    assert (finding.kind, finding.evidence) == ("unknown", "no step has been taken")
    assert len(monitor.history.step) == 0
    check_all(monitor)
    assert repr(watched([1.0] * 300)) == "<Monitor: 300 steps, learning rate too low>"


def test_a_rate_is_unknown_until_there_are_steps_to_judge_it():
    losses = list(falling(40))
    early, enough = watched(losses[:39]), watched(losses)
    assert (early.rate(), enough.rate()) == ("unknown", "fine")
    (finding,) = early.diagnose()
    assert finding.kind == "unknown"
    assert "in 39 steps" in finding.evidence
    assert "judged by 40 steps or more" in finding.cause
    assert watched([nan] * 200).rate() == "too high"
    assert watched([nan, nan, 1.0] * 3).rate() == "unknown"


@pytest.mark.parametrize("n", [0, 1, 39, 300])
def test_plot_and_page(n, tmp_path):
    monitor = watched([nan, *[1.0] * 300][:n], lr=0.1)
    monitor.plot(tmp_path / "run.png")
    monitor.report_html(tmp_path / "run.html")
    assert (tmp_path / "run.png").stat().st_size > 0
    assert "</html>" in (tmp_path / "run.html").read_text()


# --- what is fed ----------------------------------------------------------------------


SOME = [3, -3, 0, -0.0, 10**400, Fraction(3, 2), 1e300, -1e300, 5e-324]
NUMPYS = [np.float32(1.5), np.float64(1.5), np.int8(3), np.array(1.5), np.array(3)]


@pytest.mark.parametrize("loss", [*SOME, *NUMPYS], ids=lambda loss: repr(loss)[:20])
def test_numbers_of_any_kind(loss):
    monitor = watched([loss] * 300)
    value = inf if type(loss) is int and loss == 10**400 else float(loss)
    history = monitor.history
    assert history.steps.sum() == 300
    if abs(value) < inf:
        np.testing.assert_array_equal([history.low[0], history.high[0]], value)
    else:
        assert history.nonfinite.sum() == 300
    check_all(monitor)


BAD = ["3", b"3", None, True, 1j, [1.0], np.ones(2), np.array(["x"]), float]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        (name, bad)
        for name in ("loss", "validation", "lr")
        for bad in BAD
        if not (name == "validation" and bad is None)  # which is none given
    ],
    ids=repr,
)
def test_what_is_no_number_is_refused_and_not_recorded(name, bad):
    monitor = watched([1.0, 2.0])
    before = monitor.history
    with pytest.raises(TypeError, match=f"^{name}: expected a number, found"):
        monitor.update(**{"loss": 1.0, name: bad})
    for now, then in zip(monitor.history, before, strict=True):
        np.testing.assert_array_equal(now, then)
    monitor.update(3.0, 4.0)
    assert monitor.history.validation.tolist()[-1] == 4.0
    assert monitor.history.steps.sum() == 3


def test_wrong_arguments_are_named():
    opt = lrcore.SGD(np.ones(2), lr=0.1)
    with pytest.raises(TypeError, match=r"^opt: expected an optimizer of lrcore or"):
        Monitor(np.ones(2))
    with pytest.raises(TypeError, match=r"^opt: expected an optimizer of lrcore or"):
        Monitor(lrcore.SGD)
    for wrong in ("stop", "Rollback", True, False, 0, ""):
        with pytest.raises(ValueError, match=r'^on_divergence: expected "rollback"'):
            Monitor(opt, on_divergence=wrong)
    with pytest.raises(ValueError, match=r'^opt: expected an optimizer for "rollback"'):
        Monitor(on_divergence="rollback")
    with pytest.raises(ValueError, match=r"^max_rollbacks: expected an int >= 0"):
        Monitor(opt, max_rollbacks=-1)
    for wrong in (1.5, "3", None, True):
        with pytest.raises(TypeError, match=r"^max_rollbacks: expected an int >= 0"):
            Monitor(opt, on_divergence="rollback", max_rollbacks=wrong)
    with pytest.raises(TypeError, match=r"^report: expected a Report or None"):
        Monitor().update(1.0, report={"lr": 0.1})


def test_without_an_optimizer():
    """The rate and reports of someone else's."""
    p = np.ones(3)
    opt = lrcore.Adam(p, lr=Cosine(0.1, total=100), telemetry=True)
    own, handed, rates = Monitor(opt), Monitor(), Monitor()
    for k in range(100):
        opt.step(2 * p)
        loss = float(p @ p)
        own.update(loss)
        handed.update(loss, report=opt.report)
        rates.update(loss, lr=0.1 / (1 + k))
    for name, a in own.history._asdict().items():
        b = getattr(handed.history, name)
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=0, err_msg=name)
    np.testing.assert_array_equal(rates.history.lr, 0.1 / np.arange(1, 101))
    assert np.isnan(rates.history.grad_norm).all()


@pytest.mark.parametrize("telemetry", [False, True])
def test_the_rate_is_that_of_the_step_that_was_taken(telemetry):
    p, schedule = np.ones(3), Cosine(0.1, total=50).warmup(10)
    opt = lrcore.SGD(p, lr=schedule, telemetry=telemetry)
    monitor = Monitor(opt)
    for _ in range(50):
        opt.step(0 * p)
        monitor.update(1.0)
    np.testing.assert_array_equal(monitor.history.lr, schedule(np.arange(50)))
    said = monitor.diagnose()[0].evidence
    assert "lr up to 0.1, now" in said


def test_telemetry_that_is_switched_in_the_middle():
    """Off, it frees the memory in which the report was."""
    p = np.ones(1000)
    opt = lrcore.SGD(p, lr=0.1)
    monitor = Monitor(opt)
    on = [k // 7 % 2 == 1 for k in range(70)]
    for telemetry in on:
        opt.telemetry = telemetry
        opt.step(np.ones(1000))
        monitor.update(1.0)
    np.testing.assert_array_equal(~np.isnan(monitor.history.grad_norm), on)
    np.testing.assert_array_equal(monitor.history.lr, 0.1)
    opt.telemetry = not opt.telemetry  # without a step since
    monitor.update(1.0)
    assert np.isnan(monitor.history.grad_norm[-1])


def test_a_step_one_array_at_a_time_and_a_loss_scale():
    params = {"a": np.ones((2, 2)), "b": np.ones(3)}
    opt = lrcore.SGD(params, lr=0.1, telemetry=True)
    monitor, norms = Monitor(opt), []
    for k in range(20):
        grads = {name: (k + 1) * np.ones_like(p) for name, p in params.items()}
        for name in ("b", "a"):
            opt.step_one(name, grads[name])
        monitor.update(1.0)
        norms.append((k + 1) * math.sqrt(7))
    np.testing.assert_allclose(monitor.history.grad_norm, norms, rtol=1e-14)

    p, scaler = np.ones(3), LossScaler(init_scale=8.0)
    opt = lrcore.SGD(p, lr=0.1, telemetry=True)
    monitor = Monitor(opt)
    for k in range(20):
        applied = scaler.step(opt, np.full(3, inf if k == 4 else scaler.scale))
        assert applied is (k != 4)
        monitor.update(1.0)
    history = monitor.history
    assert history.nonfinite_grads.tolist() == [float(k == 4) for k in range(20)]
    measured = np.delete(history.grad_norm, 4)
    np.testing.assert_allclose(measured, math.sqrt(3), rtol=1e-14)
