"""What a monitor is told beside losses: floor, total, kind, series; what it missed."""

import numpy as np
import pytest
from watching import bowl, check_all, falling, kinds, noisy, report, watched

import lrcore
from lrcore import Monitor

# --- a loss that is moved -------------------------------------------------------------


@pytest.mark.parametrize("moved", [0.0, -1.0, -4.0, -1e3, 7.0, 1e3])
@pytest.mark.parametrize(
    ("lr", "rate"), [(1e-6, "too low"), (0.02, "fine"), (0.29, "too high")]
)
def test_a_constant_that_is_added_changes_no_verdict(moved, lr, rate):
    """A loss of 4 at first, that can fall by 4: below 0, through 0, or far above it."""
    monitor, _ = bowl(lr, 300, added=moved, telemetry=True)
    assert monitor.rate() == rate
    check_all(monitor)


@pytest.mark.parametrize("first", [2.0, 0.01, 0.0, -0.01, -2.0])
def test_ten_times_the_first_loss_is_divergence_whatever_the_path(first):
    """By the scale of the loss: its first value, its descent, or its noise."""
    rng = np.random.default_rng(0)
    noise = 0.05 * rng.normal(size=300)
    monitor = Monitor()
    for k in range(300):
        rise = 30 * max(abs(first), 0.1) * min(max(k - 100, 0) / 50, 1)
        monitor.update(first + noise[k] + rise, report=report(1e-7))
    found = monitor.diagnose()[0]
    assert (found.kind, found.rate, found.factor) == ("diverging", "too high", 0.1)
    still = Monitor()
    for k in range(300):
        still.update(first + noise[k], report=report(1e-7))
    assert still.rate() != "too high"


def test_healthy_only_where_the_loss_fell():
    losses = noisy([2.0] * 300)
    stays = Monitor()
    for loss in losses:
        stays.update(loss, report=report(3e-3))
    (finding,) = stays.diagnose()
    assert finding.kind == "unknown"
    assert "has not fallen by more than its noise" in finding.cause
    assert stays.rate() == "unknown"


def leapt(then, path):
    """A run whose loss leaps to 30 after 20 steps, and then is about `then`."""
    monitor = Monitor()
    for loss in noisy([2.0] * 20 + [30.0] * 20 + [then] * 260):
        monitor.update(loss, report=report(path / 300, grad_norm=1e-9))
    return monitor


@pytest.mark.parametrize("then", [1.97, 1.5])
@pytest.mark.parametrize("path", [0.01, 0.5, 3.0])
def test_no_higher_rate_after_a_leap(then, path):
    advice = [f.remedy for f in leapt(then, path).diagnose()]
    assert not [text for text in advice if text.startswith("raise the learning rate")]


@pytest.mark.parametrize(("path", "low"), [(0.05, True), (1.5, False)])
def test_no_higher_rate_where_updates_add_up_to_more_than_the_params(path, low):
    monitor = Monitor()
    for loss in noisy([2.0 - k / 3000 for k in range(300)], size=1e-3):
        monitor.update(loss, report=report(path / 300))
    assert (monitor.rate() == "too low") is low


# --- floor and total ------------------------------------------------------------------


def test_a_floor_of_which_half_is_reached():
    """Without one, a run like this is called slow."""
    losses = noisy([2.0 - 0.5 * k / 300 for k in range(300)], size=1e-3)

    def rate(**known):
        monitor = Monitor(**known)
        for loss in losses:
            monitor.update(loss, report=report(0.1 / 300))
        return monitor.rate()

    assert rate() == rate(floor=0.0) == rate(floor=-5.0) == "too low"
    assert rate(floor=1.2) == "fine"


def test_a_floor_above_the_first_loss_is_none():
    """It would make any descent look like a small share of the way."""
    losses = noisy([2.0 - 0.5 * k / 300 for k in range(300)], size=1e-3)
    found = []
    for floor in (None, 100.0):
        monitor = Monitor(floor=floor)
        for loss in losses:
            monitor.update(loss, report=report(0.1 / 300))
        found.append(monitor.diagnose())
    assert found[0] == found[1]
    assert kinds(found[0]) == ["slow"]


def test_no_higher_rate_where_the_gradients_are_not_finite():
    w = np.ones(3)
    opt = lrcore.SGD(w, lr=0.1, skip_nonfinite=True, telemetry=True)
    monitor = Monitor(opt)
    for _ in range(100):
        assert not opt.step(np.full(3, np.nan))
        monitor.update(1.0)
    assert kinds(monitor.diagnose()) == ["non-finite steps"]
    assert monitor.rate() == "unknown"


def test_the_floor_of_an_objective_is_its_greatest_value():
    w = np.zeros(2)
    opt = lrcore.SGD(w, lr=1e-3, maximize=True, telemetry=True)
    monitor = Monitor(opt, floor=8.0)
    for k in range(200):
        opt.step(np.ones(2))
        monitor.update(2.0 + 4 * k / 200)
    assert monitor.rate() == "fine"


def test_a_run_with_many_steps_to_come_is_not_too_slow_yet():
    def rate(total):
        return bowl(3e-5, 100, known={"total": total}, telemetry=True)[0].rate()

    assert rate(None) == rate(100) == "too low"
    assert rate(100_000) != "too low"


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"kind": "gan"}, 'kind: expected "adversarial" or "policy"'),
        ({"kind": True}, 'kind: expected "adversarial" or "policy"'),
        ({"floor": np.inf}, "floor: expected a finite number"),
        ({"floor": "0"}, "floor: expected a finite number"),
        ({"total": 0}, "total: expected a number of steps, an int >= 1"),
        ({"total": 1.5}, "total: expected a number of steps, an int >= 1"),
        ({"total": 2**53 + 1}, r"total: expected at most 2\^53 steps"),
    ],
)
def test_wrong_arguments_are_named(known, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Monitor(**known)


# --- losses without a meaning ---------------------------------------------------------


@pytest.mark.parametrize("kind", ["adversarial", "policy"])
@pytest.mark.parametrize("shape", ["rises", "stays", "falls"])
def test_the_rate_is_not_judged_by_such_a_loss(kind, shape):
    losses = {
        "rises": [1.02**k for k in range(300)],
        "stays": [0.7] * 300,
        "falls": falling(300),
    }
    monitor = watched(noisy(losses[shape]), Monitor(kind=kind), lr=0.1)
    (finding,) = monitor.diagnose()
    assert (finding.kind, finding.severity, finding.rate) == (
        "not judged",
        "info",
        None,
    )
    assert "cannot be judged by the loss" in finding.evidence
    assert monitor.rate() == "unknown"
    assert not [f for f in monitor.findings if f.rate]
    check_all(monitor)


def test_no_series_is_asked_for_that_was_given():
    asks = "pass entropy, kl and explained_variance to update()"
    assert asks in of_policy()["not judged"].remedy
    assert asks not in of_policy(kl=lambda _: 0.01)["not judged"].remedy


def test_a_loss_without_a_meaning_that_is_not_finite():
    monitor = watched([*[0.7] * 100, *[np.nan] * 100], Monitor(kind="adversarial"))
    assert monitor.rate() == "too high"


def test_noise_about_0_is_recognised():
    noise = np.random.default_rng(0).normal(size=300)
    monitor = watched(noise.tolist(), lr=0.1)
    assert kinds(monitor.diagnose()) == ["not judged"]
    assert "noise about 0" in monitor.diagnose()[0].evidence
    check_all(monitor)
    # One that has fallen to 0 is none.
    fell = noise * 0.01 + falling(300, to=0.0)
    assert "not judged" not in kinds(watched(fell.tolist(), lr=0.1).diagnose())
    assert "not judged" not in kinds(watched((noise + 3).tolist(), lr=0.1).diagnose())


def of_policy(**series):
    monitor = Monitor(kind="policy")
    rng = np.random.default_rng(0)
    for k in range(200):
        told = {name: value(k / 200) for name, value in series.items()}
        monitor.update(rng.normal(), lr=0.1, **told)
    check_all(monitor)
    return {f.kind: f for f in monitor.diagnose()}


def test_entropy_that_collapses():
    found = of_policy(entropy=lambda x: np.exp(-5 * x))
    finding = found["entropy collapse"]
    assert finding.since == 1 + np.ceil(-np.log(0.05) / 5 * 200)
    assert "from 1 to 0.00708" in finding.evidence
    assert "entropy collapse" not in of_policy(entropy=lambda x: np.exp(-2 * x))
    # Of a continuous policy, it may be below 0.
    assert "entropy collapse" not in of_policy(entropy=lambda x: -1 - x)


@pytest.mark.parametrize(("kl", "large"), [(0.08, True), (0.02, False)])
def test_large_policy_steps(kl, large):
    found = of_policy(kl=lambda x: kl)
    assert ("large policy steps" in found) is large
    if large:
        assert "0.08 nats" in found["large policy steps"].evidence


@pytest.mark.parametrize(("share", "poor"), [(-0.3, True), (0.4, False)])
def test_a_value_function_that_explains_nothing(share, poor):
    found = of_policy(explained_variance=lambda x: share)
    assert ("value function" in found) is poor
    if poor:
        assert "explains -30 % of the variance" in found["value function"].evidence


def test_series_are_logged_and_kept():
    passed = []
    monitor = Monitor(log=lambda step, values, found: passed.append(values))
    monitor.update(1.0, entropy=0.5, kl=0.01)
    monitor.update(1.0, explained_variance=0.25)
    assert passed == [
        {"loss": 1.0, "entropy": 0.5, "kl": 0.01},
        {"loss": 1.0, "explained_variance": 0.25},
    ]
    assert monitor.history.entropy[0] == 0.5
    assert monitor.history.explained_variance[1] == 0.25


@pytest.mark.parametrize("name", ["entropy", "kl", "explained_variance"])
@pytest.mark.parametrize("bad", ["1", None, True, np.ones(2)], ids=repr)
def test_a_series_that_is_no_number_is_refused(name, bad):
    monitor = Monitor()
    with pytest.raises(TypeError, match=f"^{name}: expected a number, found"):
        monitor.update(1.0, **{name: bad})
    assert monitor.history.steps.sum() == 0
    monitor.update(1.0, **{name: np.float32("nan")})
    assert np.isnan(getattr(monitor.history, name)).all()


# --- what was not seen ----------------------------------------------------------------


def attached(lr, before, after=300):
    """A monitor that is attached after some steps of a run on a bowl."""
    return bowl(lr, after, added=1.0, unseen=before, telemetry=True)[0]


def test_a_monitor_of_a_run_in_progress_calls_no_rate_too_low():
    assert attached(1e-6, before=0).rate() == "too low"
    late = attached(1e-6, before=100)
    assert late.rate() in ("fine", "unknown")
    assert not [f for f in late.findings if f.rate]
    assert "after 100 steps that were not watched" in late.diagnose()[0].evidence
    check_all(late)


def test_a_monitor_of_a_run_in_progress_still_tells_a_rate_that_is_too_high():
    assert attached(0.29, before=30).rate() == "too high"


def test_a_monitor_that_is_loaded_has_seen_the_run():
    before = attached(1e-6, before=0, after=100)
    after = Monitor(before.opt)
    after.load_state_dict(before.state_dict())
    for _ in range(100):
        before.opt.step(np.array([1.0, 7.0]))
        after.update(5.0)
    assert after.rate() == "too low"
    late = attached(1e-6, before=100, after=50)
    again = Monitor(late.opt)
    again.load_state_dict(late.state_dict())
    assert again.rate() == late.rate() != "too low"
