"""What a run's history says of its learning rate, a function for each kind.

The thresholds are fractions of the run's own loss and of its parameters' own size, so
that they have no units; bench/monitor.py measures what they find and what they miss.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isnan, log10, nan
from typing import Literal, NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.monitor._history import History

Severity = Literal["info", "warning", "error"]
Rate = Literal["too high", "too low"]


class Finding(NamedTuple):
    """What a monitor sees in a run.

    kind : one word or two: "diverging", "flat", ...; see `Monitor`.
    severity : "info", "warning" or "error".
    step : the step in which it was seen, counted from 1.
    since : the step from which it holds.
    evidence : the figures.
    cause, remedy : the likely cause, and what to do.
    rate : what it says of the learning rate: "too high", "too low" or None.

    ``str(finding)`` is all of it in a sentence.
    """

    kind: str
    severity: Severity
    step: int
    since: int
    evidence: str
    cause: str
    remedy: str
    rate: Rate | None = None

    def __str__(self) -> str:
        told = [f"{self.kind} at step {self.step}", self.evidence, self.cause]
        text = ": ".join(part for part in told if part)
        return f"{text}; {self.remedy}" if self.remedy else text


# Levels of the loss are medians over so many equal parts of the run.
PARTS = 20
LEAST_STEPS = 2 * PARTS
LASTS = 16  # steps, of which more than half are not finite: no single bad batch

ENOUGH = 0.35  # of the first loss is gone: it descends well enough to say nothing
SOME = 0.3  # of it is gone: little, after a leap
BARELY = 0.1  # of it is gone: next to nothing
EXPLODED, SURGE = 1e3, 4  # times the first loss, in so many rising blocks of steps
LEAP = 3.0  # times the first loss, in any step
STEADY = 0.3  # of the descent in the second half of the run; on a line it is 0.5
MOVED = 1.0  # norms of all updates over the greatest norm of the params
WANDERED = 2.0  # the same, where they lead nowhere
HASTY = 0.02  # norm of an early update over the same: not for want of a rate
TURNS = 0.85  # of the steps turn the loss back; of noise it is 2/3
RATIOS = (1e-7, 0.3)  # update-to-weight ratio; about 1e-3 is usual
EXPLODES, VANISHES = 100.0, 1e-5  # times the gradient norm that it had at first
OVERFITS = 0.2  # of the descent of the validation loss is lost again


class Summary(NamedTuple):
    """A run in the numbers that findings are made of; see `summary`."""

    history: History
    step: int  # the last
    lr: str  # as findings speak of it
    first: float  # loss at the start
    levels: Array  # the loss over PARTS of the run
    drop: float  # share of the first loss that is gone
    late: float  # share of the descent that the second half of the run did
    noise: float  # standard deviation of a step's loss, about
    peak: float  # the greatest loss of a step, in first losses
    path: float  # norms of all updates over the greatest norm of the params; or NaN
    stride: float  # norm of an update in the first tenth, over the same; or NaN

    @property
    def taken(self) -> int:
        """How many steps there are: fewer than `step` after a rollback."""
        return int(self.history.steps.sum())

    @property
    def level(self) -> float:
        """The loss now."""
        return float(self.levels[-1])

    @property
    def descends(self) -> bool:
        """Whether it goes down, little by little, beyond what noise would do."""
        significant = self.first - self.level > 5 * self.error
        calm = self.peak < LEAP and self.levels.max() < 1.05 * self.first
        return significant and calm and self.late > BARELY

    @property
    def error(self) -> float:
        """The standard error of a level, about."""
        return float(self.noise / np.sqrt(self.taken / PARTS))

    def since(self, part: int) -> int:
        """Return the first step of one of the PARTS."""
        seen = np.flatnonzero(np.isfinite(self.history.loss))
        each = len(seen) // PARTS
        return int(self.history.step[seen[len(seen) - (PARTS - part) * each]])


def summary(history: History, first: float) -> Summary | None:
    """Return what findings are made of; None where steps are too few, or none finite.

    `first` is the loss of the first step.
    """
    steps = history.steps
    seen = np.isfinite(history.loss)
    if steps.sum() < LEAST_STEPS or seen.sum() < PARTS or not np.isfinite(first):
        return None
    levels = _medians(history.loss[seen])
    few = int(np.searchsorted(steps.cumsum(), max(steps.sum() // 100, 3), "right"))
    mean = float(history.loss[: max(few, 1)].mean())
    if abs(mean - first) < 0.3 * abs(first):  # else it leapt at once, or is NaN
        first = mean
    last, middle = levels[-3:].mean(), levels[8:12].mean()
    wiggle = history.wiggle[np.isfinite(history.wiggle)]
    path = stride = nan
    measured = np.isfinite(history.param_norm)
    if measured.any():
        with np.errstate(all="ignore"):
            updates = history.update_norm[measured] / history.param_norm[measured].max()
            path = float((updates * steps[measured]).sum())
        stride = _median(updates[: max(len(updates) // 10, 1)])
    scale = abs(first) or 1.0
    return Summary(
        history=history,
        step=_last_step(history),
        lr=_rate_of(history),
        first=first,
        levels=levels,
        drop=float(first - levels[-1]) / scale,
        late=float(middle - last) / (abs(float(first - last)) or inf),
        noise=_median(wiggle) if len(wiggle) else 0.0,
        peak=float(np.nanmax(history.high)) / scale,
        path=path,
        stride=stride,
    )


def _medians(values: Array) -> Array:
    """Return the medians of PARTS parts."""
    each = len(values) // PARTS
    parts = np.sort(values[-PARTS * each :].reshape(PARTS, each), axis=1)
    medians: Array = (parts[:, (each - 1) // 2] + parts[:, each // 2]) / 2
    return medians


def _median(values: Array) -> float:
    """Return the upper median; NumPy's takes five times as long for as few as these."""
    half = len(values) // 2
    return float(np.partition(values, half)[half])


@np.errstate(all="ignore")
def diagnose(history: History, first: float) -> list[Finding]:
    """Return what there is to say of a run, the worst first."""
    if not len(history.step):
        return []
    findings = [*_nonfinite(history)]
    if not any(finding.rate for finding in findings):
        findings += _exploding(history, first)
    run = summary(history, first)
    if run is not None:
        if not any(finding.rate for finding in findings):
            findings += _rate(run)
        if not any(finding.rate for finding in findings):  # else it is said already
            findings += [*_oscillating(run), *_ratio(run), *_plateau(run)]
        findings += [*_gradients(run), *_overfitting(run)]
    order = ("error", "warning", "info")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def healthy(history: History, first: float) -> Finding:
    """Return the finding that there is none."""
    if not len(history.step):
        return Finding("healthy", "info", 0, 0, "no step has been taken", "", "")
    step = _last_step(history)
    seen = history.loss[np.isfinite(history.loss)]
    went = "no loss was finite"
    if len(seen):
        went = f"the loss went from {_figure(first)} to {_figure(seen[-1])}"
    evidence = f"{went} in {step} steps at {_rate_of(history)}"
    return Finding("healthy", "info", step, 1, evidence, "", "")


# --- the learning rate ----------------------------------------------------------------


def well(history: History, first: float) -> bool:
    """Whether a run that diverges may be set back to the end of this history."""
    low_enough = history.high <= LEAP * abs(first)  # false where it is NaN
    return bool(history.steps.sum() >= LEAST_STEPS and low_enough.all())


def _exploding(history: History, first: float) -> Iterator[Finding]:
    """A loss that grows beyond all measure: there is no time for a median of it."""
    recent = history.loss[-SURGE:]
    if len(recent) < SURGE or not first:
        return
    if (recent > EXPLODED * abs(first)).all() and (np.diff(recent) > 0).all():
        k = int(np.nanargmin(history.loss))
        since = int(history.step[k])
        yield Finding(
            "diverging", "error", _last_step(history), since,
            f"the loss grew {_fold(recent[-1], history.loss[k])} since step {since} "
            f"{_while(_rate_of(history))}",
            "the steps are longer than the curvature of the loss allows",
            "lower the learning rate about 10 times, or warm up",
            "too high",
        )  # fmt: skip


def _rate(run: Summary) -> Iterator[Finding]:
    """Too high, too low, or nothing of either."""
    moved = not run.path < MOVED  # true where it is not known
    thrown = run.drop < SOME and run.peak > LEAP
    wandered = run.drop < BARELY and run.path > WANDERED
    if moved and not run.descends and (thrown or wandered):
        yield _too_high(run)
        return
    levelled = moved and run.late < STEADY and run.drop > BARELY / 2
    hasty = run.stride >= HASTY
    calm = run.levels.max() < LEAP * run.first
    if run.drop < ENOUGH and calm and not levelled and not hasty:
        yield _too_low(run)


def _too_high(run: Summary) -> Finding:
    lowest = int(run.levels.argmin())
    grown = run.level - run.levels[lowest]
    if run.level > run.first and grown > 5 * run.error:
        since = run.since(lowest)
        return Finding(
            "diverging", "error", run.step, since,
            f"the loss grew {_fold(run.level, run.levels[lowest])} since step {since} "
            f"{_while(run.lr)}",
            "the steps are longer than the curvature of the loss allows",
            "lower the learning rate about 3 times, or warm up",
            "too high",
        )  # fmt: skip
    if run.peak > LEAP:
        at = int(run.history.step[np.nanargmax(run.history.high)])
        return Finding(
            "unstable", "error", run.step, at,
            f"the loss leapt to {_figure(run.peak)} times its first value about step "
            f"{at}, and {100 * max(run.drop, 0):.0f} % of that value is gone now, at "
            f"{run.lr}",
            "early steps threw the parameters where there is little to descend",
            "start anew with a learning rate about 3 times lower, or warm up",
            "too high",
        )  # fmt: skip
    return Finding(
        "no descent", "error", run.step, int(run.history.step[0]),
        f"the updates add up to {_figure(run.path)} times the norm of the parameters, "
        f"and {100 * max(run.drop, 0):.0f} % of the first loss is gone, at {run.lr}",
        "the steps lead back and forth instead of down",
        "lower the learning rate about 3 times",
        "too high",
    )  # fmt: skip


def _too_low(run: Summary) -> Finding:
    descent = run.first - run.level
    moved = "" if isnan(run.path) else (
        f" (the updates add up to {_figure(run.path, 2)} times the norm of the "
        "parameters)"
    )  # fmt: skip
    remedy = "raise the learning rate"
    if run.path != 0:
        decades = 1.0 if isnan(run.path) else -log10(run.path)
        remedy += f" about {10.0 ** min(max(round(decades), 0.5), 3):.0f} times"
    if descent < 5 * run.error or run.drop < BARELY / 2:
        return Finding(
            "flat", "warning", run.step, int(run.history.step[0]),
            f"{100 * max(run.drop, 0):.1f} % of the first loss is gone after "
            f"{run.taken} steps at {run.lr}{moved}",
            "the steps are too short to get anywhere",
            remedy, "too low",
        )  # fmt: skip
    return Finding(
        "slow", "warning", run.step, int(run.history.step[0]),
        f"{100 * run.drop:.0f} % of the first loss is gone after {run.taken} steps at "
        f"{run.lr}, and the second half of them did {100 * run.late:.0f} % of "
        f"that{moved}",
        "it descends steadily, by steps shorter than they could be",
        remedy + ", or train longer", "too low",
    )  # fmt: skip


def _nonfinite(history: History) -> Iterator[Finding]:
    """A loss that is not a number; gradients that are none."""
    bad = np.flatnonzero(history.nonfinite)
    later = history.steps[::-1].cumsum()  # the last LASTS steps, at least
    tail = slice(max(len(later) - 1 - int(later.searchsorted(LASTS)), 0), None)
    step = _last_step(history)
    if history.nonfinite[tail].sum() > max(history.steps[tail].sum(), LASTS) / 2:
        good = np.flatnonzero(history.nonfinite[: bad[-1]] == 0)
        k = int(good[-1]) + 1 if len(good) else 0
        since = int(history.step[k])
        before = history.loss[:k][np.isfinite(history.loss[:k])]
        told = f", {_figure(before[-1])} before" if len(before) else ""
        yield Finding(
            "non-finite loss", "error", step, since,
            f"the loss is infinite or NaN since about step {since}{told}, "
            f"{_while(_rate_of(history))}",
            "the run diverged until numbers overflowed, if its data are finite",
            "go back to parameters from before, lower the learning rate about 10 "
            "times, and clip gradients (clip_norm) or skip such steps (skip_nonfinite)",
            "too high",
        )  # fmt: skip
        return
    gradients = history.nonfinite_grads.sum()
    count, taken = max(gradients, history.nonfinite.sum()), history.steps.sum()
    if count:
        first = np.flatnonzero(history.nonfinite + history.nonfinite_grads)[0]
        yield Finding(
            "non-finite steps", "warning", step, int(history.step[first]),
            f"{count:.0f} of {taken:.0f} steps had a loss or gradients that are "
            f"infinite or NaN, first about step {history.step[first]:.0f}",
            "a bad batch, a division by zero, or a loss scale that is too large",
            "skip such steps (skip_nonfinite=True), and look at their data",
        )  # fmt: skip


# --- other findings -------------------------------------------------------------------


def _oscillating(run: Summary) -> Iterator[Finding]:
    """A loss that goes up and down with the steps."""
    half = run.history.turns[len(run.history.step) // 2 :]
    turns = float(half.mean())
    if turns > TURNS and run.noise > 0.01 * abs(run.level):
        yield Finding(
            "oscillating", "warning", run.step, run.since(PARTS // 2),
            f"the loss turned in {100 * turns:.0f} % of the steps (of noise, in 67 %), "
            f"by {_figure(run.noise, 2)} each, about {_figure(run.level)}, at {run.lr}",
            "each step overshoots the minimum along some direction",
            "lower the learning rate about 2 times",
        )  # fmt: skip


def _ratio(run: Summary) -> Iterator[Finding]:
    """An update-to-weight ratio that is far from the usual."""
    ratios = run.history.update_ratio[-len(run.history.step) // 4 :]
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return
    ratio = _median(ratios)
    low, high = RATIOS
    if ratio > high:
        yield Finding(
            "update ratio", "warning", run.step, run.since(PARTS * 3 // 4),
            f"each step changes the parameters by {_figure(ratio, 2)} of their norm, "
            f"where about 1e-3 is usual, at {run.lr}",
            "the learning rate is high for parameters of this size",
            "lower it, or check the scale of the parameters' initial values",
        )  # fmt: skip
    elif ratio < low and run.drop < ENOUGH:
        yield Finding(
            "update ratio", "warning", run.step, run.since(PARTS * 3 // 4),
            f"each step changes the parameters by {_figure(ratio, 2)} of their norm, "
            f"where about 1e-3 is usual, at {run.lr}",
            "the learning rate is low for parameters of this size",
            "raise it, or check the scale of the loss",
        )  # fmt: skip


def _gradients(run: Summary) -> Iterator[Finding]:
    """Gradients that grew or shrank by orders of magnitude."""
    norms = run.history.grad_norm
    norms = norms[np.isfinite(norms)]
    if len(norms) < PARTS:
        return
    part = len(norms) // PARTS
    before, now = _median(norms[:part]), _median(norms[-part:])
    figures = f"the gradient norm went from {_figure(before, 2)} to {_figure(now, 2)}"
    if now > EXPLODES * before > 0:
        yield Finding(
            "gradient exploding", "warning", run.step, run.since(1), figures,
            "the parameters went where the loss is steep",
            "clip gradients (clip_norm), and lower the learning rate",
        )  # fmt: skip
    elif now < VANISHES * before and run.drop < ENOUGH:
        yield Finding(
            "gradient vanishing", "warning", run.step, run.since(1),
            f"{figures}, while {100 * max(run.drop, 0):.0f} % of the first loss is "
            "gone",
            "units that are saturated or dead pass no gradient on",
            "start anew with a lower learning rate, or other initial values",
        )  # fmt: skip


def _plateau(run: Summary) -> Iterator[Finding]:
    """A loss that went down and does no more."""
    rates = run.history.lr
    if (rates[-1] < 0.1 * rates).any():
        return  # a schedule brings it to rest
    half = run.levels[PARTS // 2 :]
    descent = run.first - float(run.levels.min())
    slack = 3 * run.error + min(0.005 * descent, 0.1 * abs(run.level))
    if run.drop > BARELY and float(half[:3].mean() - half[-3:].mean()) < slack:
        since = run.since(PARTS // 2)
        yield Finding(
            "plateau", "info", run.step, since,
            f"the loss is about {_figure(run.level)} since step {since}, after "
            f"{_figure(run.first)} at first",
            "it has converged, or noise of this learning rate keeps it from going on",
            "lower the learning rate, or stop",
        )  # fmt: skip


def _overfitting(run: Summary) -> Iterator[Finding]:
    """A validation loss that rises while that of training falls."""
    given = np.flatnonzero(np.isfinite(run.history.validation))
    if len(given) < 5:
        return
    values = run.history.validation[given]
    best = int(values.argmin())
    now = _median(values[-3:])
    lost = now - values[best]
    noise = _median(abs(np.diff(values)))
    if (
        best < len(values) - 3
        and lost > OVERFITS * (values[0] - values[best]) + 3 * noise
    ):
        since = int(run.history.step[given[best]])
        falls = run.history.loss[given[best]] > run.level
        if falls:
            yield Finding(
                "overfitting", "warning", run.step, since,
                f"the validation loss rose from {_figure(values[best])} to "
                f"{_figure(now)} since step {since}, while that of training fell to "
                f"{_figure(run.level)}",
                "the model learns the training data by heart",
                "stop at that step (EarlyStopping), regularise (weight_decay), or take "
                "more data",
            )  # fmt: skip


def _last_step(history: History) -> int:
    return int(history.step[-1] + history.steps[-1] - 1)


def _rate_of(history: History) -> str:
    """Return the learning rate in words: a schedule's greatest and present one."""
    rates = history.lr[np.isfinite(history.lr)]
    if not len(rates):
        return "an unknown lr"
    most, now = rates.max(), rates[-1]
    if most == rates.min():
        return f"lr = {_figure(now)}"
    return f"lr up to {_figure(most)}" + (f", now {_figure(now)}" if now < most else "")


def _while(rate: str) -> str:
    """Return the learning rate's words where they tell when."""
    return ("while " if rate.startswith("lr =") else "at ") + rate


def _fold(now: float, before: float) -> str:
    if before <= 0 or now / before > 1e6:
        return f"from {_figure(before)} to {_figure(now)}"
    return f"{_figure(now / before)}-fold"


def _figure(x: float, digits: int = 3) -> str:
    """Return so many significant digits, but all before the point: 1234, not 1e+03."""
    text = f"{x:.{digits}g}"
    return f"{x:.0f}" if "e+" in text and abs(x) < 1e6 else text
