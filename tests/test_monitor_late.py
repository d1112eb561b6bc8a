"""What is told soon: a rate that turns wrong late, data that change, overfitting."""

import re

import numpy as np
import pytest
from watching import check_all, falling, kinds, noisy, watched

import lrcore
from lrcore import Monitor
from lrcore.monitor._windows import WINDOW, Windows


def settled(n, level=0.5, first=2.0, seed=0):
    """A loss that falls to a level, and stays there with noise."""
    return noisy(
        [level + (first - level) * np.exp(-k / 60) for k in range(n)], seed=seed
    )


def first_of(kind, monitor):
    return next(f for f in monitor.findings if f.kind == kind)


# --- windows --------------------------------------------------------------------------


def windows_of(losses):
    windows = Windows()
    for k in range(0, len(losses) - WINDOW + 1, WINDOW):
        windows = windows.followed_by(losses[k : k + WINDOW], k + WINDOW)
    return windows


def test_the_numbers_of_windows():
    rng = np.random.default_rng(0)
    losses = rng.normal(1, 0.1, 10 * WINDOW).tolist()
    windows = windows_of(losses)
    parts = np.reshape(losses, (10, WINDOW))
    medians = np.sort(parts, axis=1)[:, WINDOW // 2]
    best = int(medians.argmin())
    assert windows.seen == 10 * WINDOW
    assert (windows.first, windows.best) == (medians[0], medians[best])
    assert windows.now == medians[-1]
    assert windows.at == (best + 1) * WINDOW
    assert windows.noise == pytest.approx(abs(np.diff(parts[best])).mean(), rel=1e-12)
    assert not windows.risen


@pytest.mark.parametrize(("rise", "above"), [(0.9, False), (1.1, True)])
def test_how_far_a_window_must_rise(rise, above):
    """Half of the descent and 4 noises; the best window's losses differ by 0.02."""
    best = [1 + 0.01 * (-1) ** k for k in range(WINDOW)]
    high = [1.01 + rise * (0.5 * 1.99 + 4 * 0.02)] * WINDOW
    once = windows_of([3.0] * WINDOW + best + high)
    twice = windows_of([3.0] * WINDOW + best + high + high)
    assert (once.above, twice.above) == ((1, 2) if above else (0, 0))
    assert (once.risen, twice.risen) == (False, above)


def test_windows_without_enough_finite_losses_say_nothing():
    windows = windows_of([1.0] * WINDOW)
    half = [5.0] * (WINDOW // 2 - 1)
    after = windows.followed_by(half + [np.nan] * (WINDOW - len(half)), 2 * WINDOW)
    assert after == windows._replace(seen=2 * WINDOW)


# --- a rate that turns wrong ----------------------------------------------------------


@pytest.mark.parametrize("before", [500, 1500, 30_000])
def test_a_loss_that_rises_late_is_told_within_104_steps(before):
    """However long the run was well; the level is far below the first loss."""
    monitor = watched(settled(before), lr=0.1)
    rise = [0.5 + 0.9 * min(k / 16, 1) for k in range(104)]
    watched(noisy(rise, seed=1), monitor, lr=3.0)
    finding = first_of("rising", monitor)
    assert (finding.severity, finding.rate) == ("error", "too high")
    assert finding.step <= before + 104
    assert finding.since <= before
    assert f"go back to parameters from about step {finding.since}" in finding.remedy
    assert finding.factor == pytest.approx(1 / 3)
    check_all(monitor)


def test_a_rise_is_told_once_and_ends_with_it():
    rise = noisy([0.5 + 0.9 * min(k / 16, 1) for k in range(400)])
    monitor = watched([*settled(500), *rise])
    assert kinds(monitor.findings).count("rising") == 1
    watched(settled(300, first=0.5, seed=2), monitor)
    assert "rising" not in kinds(monitor.diagnose())


@pytest.mark.parametrize("seed", range(10))
def test_no_alarm_in_clean_runs(seed):
    """3,000 steps, with spikes a hundred times as high in 1 % of them."""
    losses = np.array(settled(3000, seed=seed))
    losses[np.random.default_rng(seed).random(3000) < 0.01] *= 100
    losses[0] = 2.0
    monitor = watched(losses.tolist(), lr=0.1)
    assert not {"rising", "data shift", "diverging"} & {*kinds(monitor.findings)}


# --- other data -----------------------------------------------------------------------


def shifted(lr=lambda k: 0.1, after=1.6, n=500, at=300):
    """A loss that is higher at once from a step on, and falls again."""
    late = [after - 0.3 * k / n for k in range(n - at)]
    monitor = Monitor()
    for k, loss in enumerate([*settled(at), *noisy(late, seed=3)]):
        monitor.update(loss, lr=lr(k))
    return monitor


def test_a_shift_of_the_data_is_no_fault_of_the_rate():
    monitor = shifted()
    finding = first_of("data shift", monitor)
    assert (finding.severity, finding.rate, finding.factor) == ("warning", None, None)
    assert finding.since == 301
    assert finding.step <= 300 + 104
    assert "in one step, 301" in finding.evidence
    assert not [f for f in monitor.findings if f.rate == "too high"]
    assert "data shift" in kinds(monitor.diagnose())
    check_all(monitor)


@pytest.mark.parametrize("at", [1200, 5000, 20_000])
def test_a_shift_in_a_long_run(at):
    """The blocks of whose history have several steps."""
    monitor = shifted(n=at + 150, at=at)
    assert "rising" not in kinds(monitor.findings)
    finding = first_of("data shift", monitor)
    block = max(1, at // 512)
    assert abs(finding.since - (at + 1)) <= block


def test_a_jump_of_the_rate_explains_a_rise():
    monitor = shifted(lr=lambda k: 0.1 if k < 299 else 3.0)
    assert "data shift" not in kinds(monitor.findings)
    assert first_of("rising", monitor).rate == "too high"


def test_a_slow_rise_is_no_shift():
    losses = [*settled(300), *noisy([0.5 + min(k / 30, 1.1) for k in range(150)])]
    found = kinds(watched(losses, lr=0.1).findings)
    assert "data shift" not in found
    assert "rising" in found


def test_updates_that_grew_before_a_rise_explain_it():
    monitor = Monitor()
    losses = [*settled(300), *noisy([1.6] * 150)]
    for k, loss in enumerate(losses):
        norm = 1.0 if k < 297 else 30.0
        told = lrcore.optimizers.base.report.Report(
            k + 1, 0.1, 1.0, 1.0, norm, 1e4, norm / 1e4, 0, True
        )
        monitor.update(loss, report=told)
    assert "data shift" not in kinds(monitor.findings)
    (finding,) = [f for f in monitor.findings if f.kind == "rising"]
    # The rate has not grown, so nothing is said of another one.
    assert finding.factor is None
    assert re.fullmatch(r"go back to parameters from about step \d+", finding.remedy)


def test_the_run_is_judged_anew_since_a_shift():
    """It has descended since then, though the level is above the first loss."""
    monitor = shifted(after=6.0)
    assert "data shift" in kinds(monitor.findings)
    watched(noisy([6.0 * np.exp(-k / 60) + 1 for k in range(500)]), monitor, lr=0.1)
    assert monitor.rate() == "fine"


# --- overfitting ----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["update", "validation"])
def test_overfitting_is_told_at_a_validation(way):
    """Not at the next look, which may be as far away as the run is long."""
    monitor, told = Monitor(), []
    for k, loss in enumerate(falling(4000)):
        value = None
        if k % 50 == 49:
            value = 2 - 1.5 * min(k, 2200) / 2200 + max(k - 2200, 0) / 2000
        if way == "update":
            finding = monitor.update(loss, value)
        else:
            finding = monitor.update(loss)
            if value is not None:
                finding = monitor.validation(value) or finding
        if finding and finding.kind == "overfitting":
            told.append(k + 1)
    (at,) = told
    # Worse than the best one by a fifth of the descent, and three times what two
    # successive ones differ by; and so is the median of the last three.
    assert 2200 + 2000 * 0.2 * 1.5 < at <= 2200 + 2000 * (0.2 * 1.5 + 3 * 0.035) + 100
    assert kinds(monitor.findings).count("overfitting") == 1
    check_all(monitor)


@pytest.mark.parametrize("way", ["update", "validation"])
@pytest.mark.parametrize("at", [0, 10])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_validation_that_is_not_finite_hides_no_overfitting(bad, at, way):
    monitor = Monitor()
    for k, loss in enumerate(falling(60)):
        value = bad if k == at else 1 - 0.02 * min(k, 25) + 0.05 * max(k - 25, 0)
        if way == "update":
            monitor.update(loss, value)
        else:
            monitor.update(loss)
            monitor.validation(value)
    assert "overfitting" in kinds(monitor.findings)


def test_the_log_is_passed_what_a_validation_tells():
    passed = []
    monitor = Monitor(log=lambda step, values, found: passed.append((values, found)))
    for k, loss in enumerate(falling(400)):
        monitor.update(loss)
        if k % 10 == 9:
            monitor.validation(abs(k - 200) / 200)
    told = [values for values, found in passed if "overfitting" in kinds(found)]
    assert [*told[0]] == ["validation"]
