"""Each kind of finding: in runs that have it, and not in the nearest without."""

import re
from math import inf, nan

import numpy as np
import pytest
from cases import cases
from watching import bowl, check_all, falling, kinds, noisy, report, watched

import lrcore
from lrcore import Monitor


def test_diverging():
    monitor, losses = bowl(0.3, 200, telemetry=True)
    first = next(f for f in monitor.findings if f.rate)
    assert (first.kind, first.severity, first.rate) == (
        "diverging", "error", "too high",
    )  # fmt: skip
    assert first.step < 100
    assert "while lr = 0.3" in first.evidence
    assert "lower the learning rate" in first.remedy
    assert monitor.rate() == "too high"
    check_all(monitor)

    # The figures of a loss beyond a thousand times the first: the losses themselves.
    finding = next(f for f in monitor.diagnose() if f.kind == "diverging")
    assert finding.since == np.argmin(losses) + 1
    assert f"from {min(losses):.3g} to {losses[-1]:.3g} since" in finding.evidence


def test_diverging_slowly():
    """The figures: the median of the last of 20 parts over that of the lowest part."""
    monitor, losses = bowl(0.287, 200, telemetry=True)
    assert losses[-1] < 1e3 * losses[0]
    finding = next(f for f in monitor.diagnose() if f.kind == "diverging")
    levels = np.median(np.reshape(losses, (20, 10)), axis=1)
    lowest = int(levels.argmin())
    assert finding.since == 10 * lowest + 1
    assert f"grew {levels[-1] / levels[lowest]:.3g}-fold" in finding.evidence


def test_the_growth_is_told_from_the_step_on_that_it_says():
    """Where steps do not divide by 20, too: the levels leave out the first ones."""
    losses = [1.05**k for k in range(59)]
    (finding,) = (f for f in watched(losses).diagnose() if f.kind == "diverging")
    # Of 59 steps, 20 parts are the last 40, two in each.
    since = 59 - 40 + 1
    assert finding.since == since
    fold = (losses[-1] + losses[-2]) / (losses[since - 1] + losses[since])
    assert f"grew {fold:.3g}-fold since step {since} at an unknown lr" in (
        finding.evidence
    )


def test_growth_in_the_middle_of_a_run():
    """From its lowest level on, not from the first step."""
    losses = noisy([*falling(300), *(0.05 * 1.03**k for k in range(300))])
    monitor = watched(losses, lr=0.25)
    finding = monitor.diagnose()[0]
    assert (finding.kind, finding.rate) == ("diverging", "too high")
    assert 200 < finding.since < 400
    since, now = finding.since - 1, np.median(losses[-30:])
    fold = now / np.median(losses[since : since + 30])
    assert f"grew {fold:.0f}-fold since step {since + 1}" in finding.evidence


ERRORS = {"diverging", "unstable", "no descent", "non-finite loss", "rolled back"}


BAD_STEPS = [
    (at, bad)
    for bad in (nan, inf, -inf, 1e30, 40.0, -40.0)
    for at in (0, 1, 5, 20, 38, 62, 63, 64, 127, 255, 256, 290, 299)
    if (at, bad) != (0, -40.0)  # from this first loss to the next is a leap
]


@cases("at, bad", BAD_STEPS)
def test_one_bad_step_is_no_divergence(at, bad):
    """Whether the monitor looks at that moment or not, a rollback would be wrong."""
    losses = noisy(falling(300))
    losses[at] = bad
    w = np.ones(3)
    opt = lrcore.SGD(w, lr=0.1)
    monitor = Monitor(opt, on_divergence="rollback")
    for loss in losses:
        monitor.update(loss)
        assert not ERRORS & {*kinds(monitor.findings)}
    assert opt.lr == 0.1
    # A first loss of 1e30 is no start from which to judge; all else is as it was.
    if at > 0 or not abs(bad) < inf:
        assert not ERRORS & {*kinds(monitor.diagnose())}
        assert monitor.rate() == "fine"
    check_all(monitor)


@pytest.mark.parametrize("n", [7, 30, 61, 62, 63, 64, 200])
@pytest.mark.parametrize("since", [1, 2, 3])
def test_diagnose_after_nan_that_ended(n, since):
    """Two NaN, and a good step after: asked at once."""
    monitor = watched([*noisy(falling(n)), nan, nan, *[0.05] * since])
    assert "non-finite loss" not in kinds(monitor.diagnose())
    check_all(monitor)


@pytest.mark.parametrize("since", range(1, 9))
def test_diagnose_after_many_nan_and_good_steps(since):
    """Most of the last 16 steps were NaN as long as fewer than 8 are good again."""
    monitor = watched([*noisy(falling(100)), *[nan] * 20, *[0.05] * since])
    found = [f for f in monitor.diagnose() if f.kind == "non-finite loss"]
    assert [f.since for f in found] == ([101] if since < 8 else [])
    check_all(monitor)


def test_spikes_now_and_then_are_no_divergence():
    losses = noisy(falling(2000))
    losses[::97] = [3 * loss for loss in losses[::97]]
    monitor = watched(losses)
    assert monitor.rate() == "fine"
    assert not [f for f in monitor.findings if f.rate]


@pytest.mark.parametrize("before", [0, 10, 300, 3000, 30000])
def test_a_loss_that_stays_nan_is_told_soon(before):
    """Within some 40 steps, however long the run: not a share of it."""
    monitor = watched(noisy(falling(before)), lr=0.1) if before else Monitor()
    for _k in range(80):
        finding = monitor.update(nan, lr=0.1)
        if finding and finding.kind == "non-finite loss":
            break
    else:
        pytest.fail("not told in 80 steps")
    assert (finding.severity, finding.rate) == ("error", "too high")
    # To the block.
    block = max(1, before // 512)
    assert abs(finding.since - (before + 1)) <= block
    assert "while lr = 0.1" in finding.evidence
    assert "until losses stay finite" in finding.remedy
    assert monitor.rate() == "too high"
    check_all(monitor)


def test_a_first_loss_that_is_nan_blinds_nothing():
    monitor = watched([nan, inf, *(1.1**k for k in range(100))])
    assert "diverging" in kinds(monitor.findings)
    check_all(monitor)


def test_non_finite_steps():
    losses = noisy(falling(400))
    for at in (30, 31, 77):
        losses[at] = nan
    monitor = watched(losses)
    (finding,) = (f for f in monitor.findings if f.kind == "non-finite steps")
    assert (finding.severity, finding.rate, finding.since) == ("warning", None, 31)
    assert f"3 of {finding.step} steps" in finding.evidence
    assert "about step 31" in finding.evidence
    assert "skip_nonfinite" in finding.remedy
    check_all(monitor)


def test_non_finite_gradients_where_losses_are_fine():
    w = np.ones(3)
    opt = lrcore.SGD(w, lr=0.01, telemetry=True, skip_nonfinite=True)
    monitor = Monitor(opt)
    for k in range(200):
        opt.step(np.full(3, inf) if k in (10, 50) else w.copy())
        monitor.update(float(w @ w))
    (finding,) = (f for f in monitor.diagnose() if f.kind == "non-finite steps")
    assert "2 of 200 steps" in finding.evidence
    assert finding.since == 11
    assert monitor.history.nonfinite_grads.sum() == 2
    check_all(monitor)


def test_flat_and_slow():
    flat, losses = bowl(1e-6, 300, telemetry=True)
    finding = flat.diagnose()[0]
    assert (finding.kind, finding.severity, finding.rate) == (
        "flat", "warning", "too low",
    )  # fmt: skip
    first, now = np.mean(losses[:3]), np.median(losses[-15:])
    assert f"went from {first:.3g} to {now:.3g} in 300 steps" in finding.evidence
    assert "at lr = 1e-06" in finding.evidence
    assert "raise the learning rate about 1000 times" in finding.remedy
    assert flat.rate() == "too low"
    check_all(flat)

    slow, losses = bowl(7e-6, 2000, telemetry=True)
    finding = slow.diagnose()[0]
    assert (finding.kind, finding.rate) == ("slow", "too low")
    assert "in 2000 steps" in finding.evidence
    check_all(slow)


def test_the_update_path_that_is_told_is_true():
    w = np.array([3.0, 4.0])
    opt = lrcore.SGD(w, lr=1e-5, telemetry=True)
    monitor, path, largest = Monitor(opt), 0.0, 0.0
    for _ in range(200):
        before = w.copy()
        opt.step(w.copy())
        path += float(np.linalg.norm(w - before))
        largest = max(largest, float(np.linalg.norm(w)))
        monitor.update(float(w @ w))
    told = monitor.diagnose()[0].evidence
    assert f"the updates add up to {path / largest:.2g} times the norm" in told


def test_steps_of_length_0():
    """A learning rate of 0, with reports: no logarithm of 0."""
    monitor, _ = bowl(0.0, 300, telemetry=True)
    assert kinds(monitor.diagnose())[0] == "flat"
    assert monitor.rate() == "too low"
    check_all(monitor)


def test_healthy():
    monitor, losses = bowl(0.02, 100)
    (finding,) = monitor.diagnose()
    assert (finding.kind, finding.severity, finding.rate) == ("healthy", "info", None)
    assert finding.step == 100
    assert f"from {losses[0]:.3g} to {losses[-1]:.3g} in 100 steps at lr = 0.02" in (
        finding.evidence
    )
    assert monitor.rate() == "fine"
    assert not [f for f in monitor.findings if f.rate]
    check_all(monitor)


def test_no_descent():
    """Steps to and fro, of losses that stay."""
    w = np.array([3.0, 4.0])
    opt = lrcore.SGD(w, lr=1.0, telemetry=True)
    monitor = Monitor(opt)
    for _ in range(200):
        opt.step(2 * w)  # w becomes -w
        monitor.update(25.0)
    finding = monitor.diagnose()[0]
    assert (finding.kind, finding.rate) == ("no descent", "too high")
    assert "add up to 400 times the norm of the parameters" in finding.evidence
    assert "the loss went from 25 to 25" in finding.evidence
    check_all(monitor)


def test_unstable():
    losses = noisy([1.0] * 10 + [50.0] * 10 + [0.95] * 280)
    monitor = watched(losses, lr=0.5)
    finding = monitor.diagnose()[0]
    assert (finding.kind, finding.rate) == ("unstable", "too high")
    top = int(np.argmax(losses))
    assert finding.since == top + 1
    assert f"about step {top + 1}" in finding.evidence
    assert "at lr = 0.5" in finding.evidence
    check_all(monitor)


def test_oscillating():
    def losses(size):
        return [loss * (1 + size * (-1) ** k) for k, loss in enumerate(falling(400))]

    monitor = watched(losses(0.3), lr=0.1)
    (finding,) = (f for f in monitor.diagnose() if f.kind == "oscillating")
    assert finding.rate is None
    assert "in 100 % of the steps" in finding.evidence
    assert "at lr = 0.1" in finding.evidence
    check_all(monitor)
    # Of noise of the same size, two of three steps turn.
    other = watched(noisy(falling(400), 0.1), lr=0.1)
    assert "oscillating" not in kinds(other.diagnose())
    # A tremble of a thousandth is none.
    assert "oscillating" not in kinds(watched(losses(1e-4)).diagnose())


@pytest.mark.parametrize(
    ("ratio", "found"), [(0.5, True), (0.1, False), (1e-3, False), (1e-8, False)]
)
def test_update_ratio_too_large(ratio, found):
    monitor = watched(falling(200), report=report(ratio))
    assert ("update ratio" in kinds(monitor.diagnose())) is found
    if found:
        (finding,) = (f for f in monitor.diagnose() if f.kind == "update ratio")
        assert "by 0.5 of their norm, where about 1e-3 is usual" in finding.evidence
    check_all(monitor)


@pytest.mark.parametrize(
    ("to", "kind"),
    [
        (1500.0, "gradient exploding"),
        (99.0, None),
        (1e-2, None),
        (1e-7, "gradient vanishing"),
    ],
)
def test_gradients_that_grow_or_shrink(to, kind):
    monitor = Monitor()
    for k in range(400):
        monitor.update(2.0, report=report(grad_norm=to ** (k / 399)))
    found = [f for f in monitor.diagnose() if f.kind.startswith("gradient")]
    assert kinds(found) == ([kind] if kind else [])
    if kind:
        norms = to ** (np.arange(400) / 399)
        before, now = np.sort(norms[:20])[10], np.sort(norms[-20:])[10]
        says = re.search(r"from (\S+) to (\S+?)(,|$)", found[0].evidence)
        assert float(says[1]) == pytest.approx(before, rel=0.05)
        assert float(says[2]) == pytest.approx(now, rel=0.05)
    check_all(monitor)


def test_vanishing_gradients_of_a_loss_that_is_gone_are_right():
    monitor = Monitor()
    for k, loss in enumerate(falling(400, to=1e-6)):
        monitor.update(loss, report=report(grad_norm=1e-7 ** (k / 399)))
    assert "gradient vanishing" not in kinds(monitor.diagnose())


def test_plateau():
    losses = noisy(falling(100, to=0.5) + [0.5] * 300)
    monitor = watched(losses, lr=0.1)
    (finding,) = (f for f in monitor.diagnose() if f.kind == "plateau")
    assert (finding.severity, finding.since, finding.rate) == ("info", 201, None)
    assert f"after {np.mean(losses[:4]):.3g} at first" in finding.evidence
    assert "is about 0.5" in finding.evidence or "is about 0.49" in finding.evidence
    check_all(monitor)
    # One that still descends has none.
    line = noisy([2 - 1.5 * k / 400 for k in range(400)])
    assert "plateau" not in kinds(watched(line, lr=0.1).diagnose())
    # Nor has one whose schedule brings it to rest.
    cooled = Monitor()
    for k, loss in enumerate(losses):
        cooled.update(loss, lr=0.1 if k < 200 else 0.005)
    assert "plateau" not in kinds(cooled.diagnose())


@pytest.mark.parametrize(
    ("last", "found"), [(1.6, True), (0.55, False), (0.5, False), (0.3, False)]
)
def test_overfitting(last, found):
    """The validation falls from 2 to 0.5 until step 200, then goes to `last`."""
    monitor = Monitor()
    given = {}
    for k, loss in enumerate(falling(400)):
        value = None
        if k % 10 == 9:
            rest = max(0, k - 199) / 200
            value = max(2 - 1.5 * k / 199, 0.5) + (last - 0.5) * rest
            given[k + 1] = value
        monitor.update(loss, value)
    found_ones = [f for f in monitor.diagnose() if f.kind == "overfitting"]
    assert bool(found_ones) is found
    if found:
        best = min(given, key=given.get)
        now = np.median(list(given.values())[-3:])
        assert found_ones[0].since == best
        says = f"rose from {given[best]:.3g} to {now:.3g} since step {best}"
        assert says in found_ones[0].evidence
        assert "EarlyStopping" in found_ones[0].remedy
    check_all(monitor)


def test_one_bad_validation_is_no_overfitting():
    monitor = Monitor()
    for k, loss in enumerate(falling(400)):
        value = 5.0 if k == 389 else loss + 0.1
        monitor.update(loss, value if k % 10 == 9 else None)
    assert "overfitting" not in kinds(monitor.diagnose())


def test_a_validation_that_rises_with_the_loss_is_no_overfitting():
    monitor = Monitor()
    for k in range(400):
        loss = 2 - 1.5 * k / 200 if k < 200 else 0.5 + (k - 200) / 200
        monitor.update(loss, loss if k % 10 == 9 else None)
    assert "overfitting" not in kinds(monitor.diagnose())
