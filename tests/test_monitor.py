"""The monitor: what it finds in runs that have it, and not in the nearest without.

What a history keeps is in test_history.py, the pictures in test_plots.py; how often the
monitor is right on many runs is measured by bench/monitor.py.
"""

import math
import re
from fractions import Fraction
from math import inf, nan

import numpy as np
import pytest
from helpers import bits_of

import lrcore
from lrcore import LossScaler, Monitor, ReduceOnPlateau
from lrcore.monitor import Finding
from lrcore.optimizers.base.report import Report
from lrcore.schedules import Cosine


def watched(losses, monitor=None, **more):
    """A monitor that has seen these losses."""
    monitor = monitor or Monitor()
    for loss in losses:
        monitor.update(loss, **more)
    return monitor


def kinds(findings):
    return [finding.kind for finding in findings]


def noisy(values, size=0.02, seed=0):
    """Losses with noise, as of batches."""
    noise = np.random.default_rng(seed).normal(0, size, len(values))
    return (np.asarray(values) * (1 + noise)).tolist()


def falling(n, to=0.05, first=2.0):
    """A loss that falls as that of a good run."""
    return [to + (first - to) * math.exp(-8 * k / n) for k in range(n)]


def bowl(lr, steps, curvature=(1.0, 7.0), **more):
    """Gradient descent on a quadratic, watched: it diverges from lr = 2 / 7 on."""
    w, curvature = np.ones(len(curvature)), np.array(curvature)
    opt = lrcore.SGD(w, lr=lr, **more)
    monitor = Monitor(opt)
    losses = []
    for _ in range(steps):
        losses.append(float(0.5 * (curvature * w**2).sum()))
        opt.step(curvature * w)
        monitor.update(losses[-1])
    return monitor, losses


# --- the words ------------------------------------------------------------------------

NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def check_words(finding):
    """Figures are numbers as people write them, and each part is there."""
    text = str(finding)
    assert finding.kind in text
    assert f"step {finding.step}" in text
    # "NaN" and "infinite" are words; nan and inf would be figures.
    assert not re.search(r"\b(nan|inf)\b", text), text
    assert not re.search(r"e\+0[0-5]", text), text
    assert "-0 %" not in text
    assert "None" not in text
    assert 0 <= finding.since <= finding.step
    assert finding.severity in ("info", "warning", "error")
    assert finding.rate in (None, "too high", "too low")
    if finding.kind != "healthy":
        assert finding.evidence
        assert finding.cause
        assert finding.remedy


def check_all(monitor):
    for finding in [*monitor.findings, *monitor.diagnose()]:
        check_words(finding)


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


# --- each kind, and what is nearest to it ---------------------------------------------


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


@pytest.mark.parametrize("at", [0, 1, 5, 20, 38, 62, 63, 64, 127, 255, 256, 290, 299])
@pytest.mark.parametrize("bad", [nan, inf, -inf, 1e30, 40.0, -40.0])
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
    assert "clip_norm" in finding.remedy
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
    gone = 100 * (1 - np.median(losses[-15:]) / losses[0])
    assert f"{gone:.1f} % of the first loss is gone after 300 steps" in finding.evidence
    assert "at lr = 1e-06" in finding.evidence
    assert "raise the learning rate about 1000 times" in finding.remedy
    assert flat.rate() == "too low"
    check_all(flat)

    slow, losses = bowl(7e-6, 2000, telemetry=True)
    finding = slow.diagnose()[0]
    assert (finding.kind, finding.rate) == ("slow", "too low")
    assert "after 2000 steps" in finding.evidence
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
    assert "0 % of the first loss is gone" in finding.evidence
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


def report(ratio=1e-3, grad_norm=1.0, nonfinite=0):
    return Report(1, 0.1, grad_norm, 1.0, ratio * 8.0, 8.0, ratio, nonfinite, True)


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


def test_arguments():
    opt = lrcore.SGD(np.ones(2), lr=0.1)
    with pytest.raises(TypeError, match=r"^opt: expected an optimizer or None"):
        Monitor(np.ones(2))
    with pytest.raises(TypeError, match=r"^opt: expected an optimizer or None"):
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


# --- rollback -------------------------------------------------------------------------


def new_run(build=lrcore.Adam, **more):
    """Params and an optimizer, with some state."""
    params = [np.linspace(-1, 1, 6).reshape(2, 3), np.linspace(1, 2, 4)]
    return params, build(params, **{"lr": 0.01, **more})


def gradients(params, k):
    rng = np.random.default_rng(k)
    return [p + 0.1 * rng.normal(size=p.shape) for p in params]


def back_to(finding):
    assert finding.kind == "rolled back"
    assert "half of what it was" in finding.remedy
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
    assert opt.lr == stopped.lr / 2
    # The params that gave the first NaN are those after step `good`.
    assert step < max(good, 1)
    assert good < 65 or step >= 64  # and there was a snapshot to go back to
    check_all(monitor)
    # It goes on from there as the other does at half the rate.
    stopped.lr /= 2
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
    w, curvature = np.ones(2), np.array([1.0, 7.0])
    opt = lrcore.SGD(w, lr=1.1 * 2 / 7)
    monitor = Monitor(opt, on_divergence="rollback")
    for _ in range(600):
        loss = float(0.5 * (curvature * w**2).sum())
        opt.step(curvature * w)
        monitor.update(loss)
    assert loss < 1e-3
    assert opt.lr == 1.1 / 7
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
def test_the_rate_is_halved_each_time(kind, shared):
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
            assert opt.lr == pytest.approx(twin.lr * 0.5**back, rel=1e-15)
            second = opt.param_groups[1].at("lr", t)
            expected = opt.lr if shared else other * 0.5**back
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
    assert opt.lr == 0.25
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
