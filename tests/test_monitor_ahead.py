"""What a monitor waits for: rates that are to rise, and verdicts that have to hold."""

from math import inf, nan

import numpy as np
import pytest
from watching import check_all, kinds, noisy, report, watched

import lrcore
from lrcore import Monitor
from lrcore.monitor._known import Known, known
from lrcore.schedules import Constant, Cosine, Function, Linear

CURVATURE = np.array([1.0, 7.0])


def trained(lr, steps, *, by_hand=False, **told):
    """A bowl that is trained by a schedule, of the optimizer or set in each step."""
    w = np.ones(2)
    opt = lrcore.SGD(w, lr=lr(0) if by_hand else lr, telemetry=True)
    monitor = Monitor(opt, **told)
    for step in range(steps):
        if by_hand:
            opt.lr = lr(step)
        loss = 1 + 0.5 * float((CURVATURE * w**2).sum())
        opt.step(CURVATURE * w)
        monitor.update(loss)
    return monitor


def late(t):
    """A rate that is too low for 300 steps, and then rises 3,000-fold."""
    return 1e-5 if t < 300 else 3e-2


# --- schedules ------------------------------------------------------------------------


def test_a_warm_up_is_not_too_slow():
    long = Constant(0.05).warmup(1000, start=1e-5, shape="exponential")
    assert trained(long, 200).findings == []
    assert trained(long, 200).rate() != "too low"
    assert trained(1e-5, 200).rate() == "too low"


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_rate_that_rises_late_is_not_too_low_before(by_hand):
    schedule = Function(late)
    before = trained(schedule, 290, by_hand=by_hand, schedule=late, total=400)
    assert before.findings == []
    assert before.rate() != "too low"
    without = trained(schedule, 290, by_hand=True)
    assert kinds(without.findings) == ["flat"]
    assert without.rate() == "too low"
    check_all(without)


def test_a_rate_that_stays_too_low_is_told_whatever_its_schedule():
    assert trained(Cosine(1e-5, total=400), 400).rate() == "too low"
    rising = Linear(1e-6, 1e-5, total=400)
    assert trained(rising, 400).rate() == "too low"
    assert kinds(trained(rising, 400).findings) == ["flat"]


def test_a_schedule_hides_no_rate_that_is_too_high():
    schedule = Constant(0.3).warmup(1000, start=0.97)
    assert trained(schedule, 300).rate() == "too high"


def test_how_far_the_rest_of_a_run_leads():
    constant = known(None, None, 400, Constant(0.1), None, 1.0)
    assert constant.ahead(100) == pytest.approx(4)
    assert constant.ahead(400) == constant.ahead(500) == 1
    assert constant.ahead(399, 2.0) == pytest.approx(400 / 399)
    assert constant.ahead(400, 2.0) == 2
    # A rate that grows linearly: the sums grow as the square of the step, but for the
    # 64 steps at which it is asked.
    rising = known(None, None, 6400, float, None, 1.0)
    assert rising.ahead(3200) == pytest.approx(4, rel=0.04)
    assert rising.ahead(1600) == pytest.approx(16, rel=0.08)
    # The length is that of the schedule, if none is told.
    assert known(None, None, None, Cosine(0.1, total=50), None, 1.0).total == 50
    assert known(None, None, 70, Cosine(0.1, total=50), None, 1.0).total == 70
    # A schedule of zeros tells nothing; one that has been 0 so far leads anywhere.
    assert known(None, None, 10, lambda t: 0.0, None, 1.0).ahead(5) == 2
    assert known(None, None, 10, lambda t: float(t > 7), None, 1.0).ahead(5) == inf
    assert Known().ahead(5) == 1


def test_how_far_the_rest_leads_beside_the_steps_since_a_rollback_or_a_shift():
    constant = known(None, None, 400, Constant(0.1), None, 1.0)
    for run in (constant, Known(total=400)):
        assert run.ahead(300, 2.0, begin=200) == pytest.approx(2)
        assert run.ahead(225, 2.0, begin=200) == pytest.approx(8)
        assert run.ahead(400, 2.0, begin=200) == 2
    late = known(None, None, 64, lambda t: float(t > 40), None, 1.0)
    assert late.ahead(40, begin=20) == inf


def test_after_a_shift_of_the_data_a_rate_is_judged_by_the_steps_since():
    """The path of these is short; it will be long by the end of the run."""

    def seen(total):
        monitor = Monitor(total=total)
        losses = [*np.geomspace(2, 0.1, 320), *np.linspace(5, 4.99, 160)]
        for loss in noisy(losses, size=1e-3):
            monitor.update(loss, report=report(1e-3))
        return monitor

    short, long = seen(480), seen(2000)
    assert "data shift" in kinds(short.diagnose())
    assert short.rate() == "too low"
    assert long.rate() != "too low"


def test_the_schedule_of_the_optimizer_is_known():
    w = np.ones(2)
    cosine = Cosine(0.1, total=100)
    own = known(None, None, None, None, lrcore.SGD(w, lr=cosine), 1.0)
    assert own == known(None, None, None, cosine, None, 1.0)
    assert known(None, None, None, None, lrcore.SGD(w, lr=0.1), 1.0) == Known()


def test_a_schedule_of_the_optimizer_that_ends_early_is_not_asked_further():
    rates = [0.1] * 10
    opt = lrcore.SGD(np.ones(2), lr=Function(lambda t: rates[t]))
    monitor = Monitor(opt, total=100)
    opt.step(np.ones(2))
    monitor.update(1.0)
    assert monitor.history.lr.tolist() == [0.1]


@pytest.mark.parametrize(
    "wrong", [lambda t: nan if t == 50 else 0.1, lambda t: "0.1", lambda t: -1.0]
)
def test_a_wrong_schedule_of_the_optimizer_is_not_known(wrong):
    """A step that the run comes to would refuse its rate."""
    opt = lrcore.SGD(np.ones(2), lr=Function(wrong))
    assert Monitor(opt, total=100)._known == Known(total=100)


def test_only_the_shape_of_a_schedule_counts():
    cosine = Cosine(1.0, total=100)
    shape = known(None, None, 100, cosine, None, 1.0).ahead(40)
    for size in (1e-300, 1e308):
        scaled = known(None, None, 100, lambda t, s=size: s * cosine(t), None, 1.0)
        assert scaled.ahead(40) == pytest.approx(shape, rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "total", "error", "message"),
    [
        (0.1, 100, TypeError, "schedule: expected a schedule, as Cosine"),
        ("cosine", 100, TypeError, "schedule: expected a schedule, as Cosine"),
        (late, None, ValueError, "total: expected the number of steps of the run"),
        (lambda t: "0.1", 100, TypeError, "schedule: expected numbers as rates"),
        (lambda t: -1.0, 100, ValueError, "schedule: expected finite .* found -1"),
        (lambda t: inf, 100, ValueError, "schedule: expected finite .* found inf"),
        (lambda t: nan if t == 50 else 0.1, 100, ValueError, "schedule: .* found nan"),
    ],
)
def test_a_wrong_schedule_is_refused(schedule, total, error, message):
    with pytest.raises(error, match=message):
        Monitor(schedule=schedule, total=total)


# --- verdicts that hold ---------------------------------------------------------------


def high_for(steps, total=400, above=3.0):
    """A run whose loss is above the first for some steps, and then far below."""
    losses = [2.0] * 5 + [above] * (steps - 5) + [0.1] * (total - steps)
    return watched(noisy(losses), report=report(0.05))


def test_a_rate_that_is_too_high_is_told_when_that_has_held():
    assert kinds(high_for(110).findings) == []
    stays = high_for(400)
    (told,) = stays.findings
    assert told.rate == "too high"
    # It is seen at step 64, again at 96, and has held since half of the run at 144.
    assert told.step == 144
    check_all(stays)


def test_what_is_beyond_doubt_is_told_at_once():
    (told, *_) = high_for(400, above=50.0).findings
    assert (told.rate, told.step) == ("too high", 64)


def test_a_rate_is_too_low_on_the_way_if_it_still_were_in_twice_as_long_a_run():
    """By a path for which the verdict turns between the two lengths."""

    def seen(path, **told):
        monitor = Monitor(**told)
        losses = noisy([2.0 - k / 3000 for k in range(300)], size=1e-3)
        for loss in losses[:150]:
            monitor.update(loss, report=report(path / 150))
        return monitor

    between = seen(0.38)
    assert (between.findings, between.rate()) == ([], "too low")
    assert kinds(seen(0.1).findings) == ["flat"]
    # A run whose length is known is judged by that.
    assert kinds(seen(0.38, total=150).findings) == ["flat"]


# --- what gradients promised ----------------------------------------------------------


@pytest.mark.parametrize(("grad_norm", "high"), [(0.01, False), (30.0, True)])
def test_a_loss_that_stays_is_told_by_what_the_gradients_promised(grad_norm, high):
    monitor = Monitor()
    for loss in noisy([2.0] * 300):
        monitor.update(loss, report=report(0.01, grad_norm=grad_norm))
    assert (monitor.rate() == "too high") is high


@pytest.mark.parametrize("lr", [1e-6, 1e-8, 1e-12, 1e-16])
def test_a_loss_that_rounding_holds_is_not_too_high(lr):
    w = np.ones(2, np.float32)
    opt = lrcore.SGD(w, lr=lr, telemetry=True)
    monitor = Monitor(opt)
    for _ in range(300):
        loss = float(np.float32(1 + 0.5 * (CURVATURE * w**2).sum()))
        opt.step((CURVATURE * w).astype(np.float32))
        monitor.update(loss)
    assert monitor.rate() == "too low"


def test_losses_about_0_without_noise_have_a_way_to_go():
    """A loss below 0 leaves the floor unknown, and all else here is 0."""
    monitor = Monitor()
    for k in range(64):
        monitor.update(-1.0 if k == 30 else 0.0, report=report(1e-7))
    assert monitor.rate() in ("too low", "unknown")
