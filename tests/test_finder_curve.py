"""The curve of a range test: when a sweep ends, and the rules that read rates."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
from range_tests import BUILDS, Task, assert_same, noisy_line, swept

import lrcore
from lrcore import lr_find
from lrcore.finder import _curve, _rules

# --- the end of a sweep ---------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_ends_the_sweep(bad):
    """Three in a row do."""
    found = swept([*np.linspace(3, 1, 60), bad])
    assert len(found.losses) == 63
    assert found.reason.startswith(f"loss not finite at {found.lrs[-1]:.2g}")
    assert found.suggestions["minimum"] == found.lrs[54] / 10  # not the last 5
    assert 0 < found.confidence < 1


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e4])
def test_single_losses_that_are_not_finite_or_spikes_change_little(bad):
    plain = swept(falls := np.linspace(3, 1, 60).tolist() + [1.0] * 40)
    for at in (0, 1, 30, 59, 80):
        falls[at] = bad
    found = swept(falls)
    assert len(found.losses) == 100
    assert found.reason == plain.reason
    assert found.suggestion == pytest.approx(plain.suggestion, rel=0.2)


@pytest.mark.parametrize("offset", [0.0, -10.0])
def test_a_loss_above_several_times_the_best_ends_the_sweep(offset):
    """Where losses are negative too: the distance is of the best's size."""
    falling = np.linspace(4, 1, 50) + offset
    found = swept([*falling, 1e3, 1e6], smoothing=0.0)
    assert len(found.losses) == 53  # the median of 5 is above it then
    assert found.reason.startswith(f"diverged at {found.lrs[-1]:.2g}")
    assert len(swept([*falling, 1e3], stop=math.inf, smoothing=0.0).losses) == 100


def test_no_loss_is_too_high_where_stop_is_inf():
    assert len(swept([*[0.0] * 50, 1.0, 1e9], stop=math.inf).losses) == 100


def test_losses_that_diverge_before_their_average_are_told():
    """The average lags: of smoothing 0.98, by a decade."""
    losses = [*np.linspace(2.3, 0.4, 80), *np.geomspace(2.5, 10, 20)]
    found = swept(losses)
    assert len(found.losses) == 100
    assert found.reason.startswith(
        f"the loss diverged at {found.lrs[80]:.2g}, its average did not up to 10; "
    )
    losses[-10:] = [0.4] * 10  # those that come back did not diverge
    assert swept(losses).reason.startswith("no divergence up to 10")
    losses[-4:] = [9.0] * 4  # nor did so few
    assert swept(losses).reason.startswith("no divergence up to 10")


def of_losses(losses, smoothing=0.98):
    curve = _curve.Curve(np.geomspace(1e-7, 10, len(losses)), smoothing, 4.0)
    for loss in losses:
        curve.add(loss)
    return curve


def test_a_rise_is_asked_for_only_where_the_average_has_not_ended_the_sweep():
    falls, rises = np.linspace(2.3, 0.4, 80), np.geomspace(2.5, 40, 40)
    early, whole = (of_losses([*falls, *rises[:n]]) for n in (20, 40))
    assert (early.ended, early.rise) == ("", early.lrs[80])
    assert (whole.ended, whole.rise) == ("diverged", None)


def test_the_average_stays_where_a_loss_is_not_finite():
    curve = of_losses([math.nan, 3.0, 2.0, math.inf, math.nan, 1.0], smoothing=0.5)
    assert math.isnan(curve.smoothed[0])
    assert curve.smoothed[2] == curve.smoothed[3] == curve.smoothed[4]
    assert curve.ended == ""


@pytest.mark.parametrize("name", ["losses", "smoothed"])
def test_a_curve_can_be_read_after_a_ctrl_c_in_the_middle_of_a_loss(name):
    class Interrupted(list):
        def append(self, value):
            raise KeyboardInterrupt

    curve = _curve.Curve(np.geomspace(1e-3, 1.0, 30), 0.5, 4.0)
    for loss in np.linspace(3, 2, 25).tolist():
        curve.add(loss)
    setattr(curve, name, Interrupted(getattr(curve, name)))
    with pytest.raises(KeyboardInterrupt):
        curve.add(1.0)
    assert [len(array) for array in curve.arrays] == [25] * 3
    assert _rules.read(curve)


def test_a_noisy_start_does_not_end_the_sweep():
    """Only what is above the first loss, and not for a loss near 0, diverges."""
    found = swept([1.0, *np.geomspace(1, 1e-9, 50), 1e-7, 1e-4], smoothing=0.0)
    assert len(found.losses) == 100


def test_a_first_loss_that_is_small_by_chance_does_not_end_the_sweep():
    """As of one row; what diverges from the beginning does so in the next losses."""
    rng = np.random.default_rng(0)
    rows = [1e-3, 2.0, *rng.chisquare(1, 98)]
    assert len(swept(rows, smoothing=0.98).losses) == 100
    at_once = swept(np.geomspace(1, 1e30, 100).tolist(), start=1e-7)
    assert len(at_once.losses) < 20
    assert at_once.reason.startswith("too few points")


def diverging(task, rows):
    """Overflows in float32, as a training does."""
    loss, grads = task.loss_and_grad(rows)
    return np.float32(loss) * np.float32(1e38), grads


def test_a_training_that_overflows_neither_raises_nor_warns():
    task = Task(BUILDS["averages"])
    before = task.everything()
    with np.errstate(all="raise"):
        found = lr_find(task.opt, partial(diverging, task), task.batches(),
                        end=1e6, rng=[task.rng, task.legacy])  # fmt: skip
        assert np.geterr()["over"] == "raise"
    assert "not finite" in found.reason
    assert_same(before, task.everything())


def test_pythons_overflow_is_a_loss_that_is_not_finite():
    w = np.ones(1)
    opt = lrcore.SGD(w)
    found = lr_find(
        opt, lambda _: (math.exp(w[0]), -np.exp(w)), [0], trial_steps=0, stop=math.inf
    )
    assert found.losses[-1] == math.inf
    with pytest.raises(OverflowError):  # before a rate was tried, it is a mistake
        lr_find(opt, lambda _: (math.exp(1e9), w), [0])


@pytest.mark.parametrize("skips", [False, True])
def test_gradients_that_are_not_finite_are_skipped(skips):
    w = np.ones(3)

    def loss_and_grad(k):
        return w @ w, 2 * w if k % 2 else np.full(3, np.nan)

    opt = lrcore.SGD(w, skip_nonfinite=skips)
    assert len(lr_find(opt, loss_and_grad, [0, 1], trial_steps=0).losses) > 70
    assert (w == 1).all()
    assert opt.skip_nonfinite is skips


def test_the_reasons():
    falls = np.linspace(3, 1, 100)
    noise = np.random.default_rng(0).normal(2, 0.1, 100)
    assert swept([2.0]).reason == (
        "flat: raise end, or look at the gradients; no divergence up to 10"
    )
    assert swept(noise).reason.startswith("flat")
    assert math.isnan(swept(noise).suggestion)
    assert "still falling there: raise end" in swept(falls).reason
    assert swept([math.nan]).reason == (
        "the loss or the score is not finite before the first step: look at the data, "
        "the params and the functions that return them"
    )
    assert swept([1.0, math.nan], start=1e-7).reason == (
        f"too few points (1); loss not finite at {np.geomspace(1e-7, 10, 100)[3]:.2g}; "
        "look at the gradients, lower start, or raise num"
    )
    early = swept([*falls[:12], 1e9], num=20, start=1e-7)
    assert early.reason.startswith("too few points (15); diverged at ")
    assert "lower start" in early.reason
    assert early.suggestions == {}
    assert early.confidence == 0
    v = np.concatenate([falls[:70], np.linspace(1.6, 4, 30)])
    assert swept(v, smoothing=0.5).reason.endswith("a quarter of the way to valley")


@pytest.mark.parametrize("trial_steps", [0, 20])
def test_gradients_of_the_wrong_sign_are_told(trial_steps):
    opt, loss_and_grad, batches = noisy_line(sign=-1.0)
    if not trial_steps:  # the sweep alone cannot tell it from noise
        batches = batches[:1]
    found = lr_find(opt, loss_and_grad, batches, trial_steps=trial_steps)
    assert math.isnan(found.suggestion)
    assert found.confidence == 0
    assert found.reason.endswith(
        "no rate descends: look at the gradients and their sign"
    )


@pytest.mark.parametrize("offset", [-100.0, 1e4])
def test_what_is_added_to_the_loss_changes_nothing(offset):
    """As the constants of a likelihood; to the bits, only its rounding differs."""
    plain, shifted = (lr_find(*noisy_line(offset=c), end=0.5) for c in (0.0, offset))
    assert plain.confidence > 0.5
    assert shifted.suggestion == pytest.approx(plain.suggestion, rel=1e-9)
    assert shifted.confidence == pytest.approx(plain.confidence, rel=1e-3)


# --- rules ----------------------------------------------------------------------------


def curve(shift=0.0, noise=0.0, n=85):
    """A smooth fall about 1e-3 and a rise at 0.3."""
    lrs = np.geomspace(1e-6, 1.0, n)
    x = np.log10(lrs) - shift
    losses = 2.3 - 1.8 / (1 + np.exp(-3 * (x + 3))) + 3 * np.exp(4 * (x + 0.2))
    return lrs, losses + noise * np.random.default_rng(0).normal(size=n)


def slid(lrs, losses):
    """As fastai tells it, from the right."""
    slope, right = np.gradient(losses), len(losses) - 1
    rate = lrs[right - 15]
    while right - 15 >= 0 and abs(slope[right] - slope[right - 15]) > 0.005:
        rate = lrs[right - 15]
        right -= 1
    return rate


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("n", [17, 40, 85])
def test_slide_is_fastais(noise, n):
    lrs, losses = curve(noise=noise, n=n)
    assert _rules.slide(lrs, losses) == slid(lrs, losses)


def longest_fall(losses):
    """The length of the longest decreasing subsequence, and the first end of one."""
    best = [1] * len(losses)
    for i, j in itertools.combinations(range(len(losses)), 2):
        if losses[j] < losses[i]:
            best[j] = max(best[j], best[i] + 1)
    return max(best), best.index(max(best))


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_valley_is_half_way_down_the_longest_fall(noise):
    lrs, losses = curve(noise=noise)
    length, end = longest_fall(losses)
    third = length / 3
    at = end - length + int(third) + int(third / 2)
    assert _rules.valley(lrs, losses) == lrs[at]


def test_minimum_and_steep_of_a_smooth_curve():
    lrs, losses = curve()
    assert _rules.minimum(lrs, losses) == lrs[losses.argmin()] / 10
    # The logistic's own steepest point, to the spacing of the rates.
    assert abs(np.log10(_rules.steep(lrs, losses)) + 3) < 6 / 84


def test_slopes_are_by_log_lr():
    """Rates spread linearly have the steepest point at the same rate, not lower."""
    x = np.linspace(1e-3, 1, 400)
    losses = 1 / (1 + np.exp(4 * (np.log10(x) + 1)))
    assert abs(np.log10(_rules.steep(x, losses)) + 1) < 0.02
    assert x[np.gradient(losses, x).argmin()] < 0.08  # by lr it is lower


def test_rules_move_with_the_curve():
    """A curve at twice the rates, or of other units of loss, for those without any."""
    lrs, losses = curve()
    for rule in _rules._RULES:
        assert rule(2 * lrs, losses) == pytest.approx(2 * rule(lrs, losses), rel=1e-12)
    for rule in (_rules.valley, _rules.minimum, _rules.steep):
        assert rule(lrs, 1000 * losses) == rule(lrs, losses)


@pytest.mark.parametrize("spacing", ["exponential", "linear"])
def test_the_average_of_medians_is_debiased_and_by_log_lr(spacing):
    losses = np.random.default_rng(0).normal(3, 1, 50)
    found = swept(losses, num=50, spacing=spacing, smoothing=0.9, stop=math.inf)
    medians = [np.median(losses[max(0, i - 4) : i + 1]) for i in range(50)]
    x = np.log(found.lrs)
    spacing = (x[-1] - x[0]) / 49
    for i in range(50):
        weights = 0.9 ** ((x[i] - x[: i + 1]) / spacing)
        # A running sum beside a sum: 50 roundings.
        np.testing.assert_allclose(
            found.smoothed[i], weights @ medians[: i + 1] / weights.sum(), rtol=1e-13
        )
    assert (found.losses == losses).all()


def test_the_first_tenth_and_the_last_5_are_not_looked_at():
    lrs, losses = curve()

    def read(smoothed):
        swept = _curve.Curve(lrs, 0.0, math.inf)
        swept.losses, swept.smoothed = losses.tolist(), smoothed.tolist()
        return _rules.read(swept)

    changed = losses.copy()
    changed[:8], changed[-5:] = 100, -100
    assert read(changed) == read(losses)
    changed[8] = -200
    assert read(changed) != read(losses)
