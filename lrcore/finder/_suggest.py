"""What the curve of a range test, and trials after it, say of a learning rate.

Slopes are by log lr, in units of the mean spacing of the curve's rates there: the
spacing of all of them where the rates were spread exponentially.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, log10, nan
from os import PathLike
from textwrap import fill
from typing import TYPE_CHECKING, Literal

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import listed, shown
from lrcore.optimizers.base.optimizer import Optimizer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST = 20
"""Points that a curve needs, and steps a trial."""

Ended = Literal["", "diverged", "not finite"]
"""How a sweep ended before its last rate."""

# fastai's: a share of the points, and points, that are not looked at.
_SKIP_FIRST, _SKIP_LAST = 0.1, 5
# fastai's: points, and loss a point.
_SLIDE_WIDTH, _SLIDE_SLOPE = 15, 0.005
# Of a trial: the share of its last steps whose mean loss is its score, and the share of
# the best one's descent that a lower rate may lack.  From the tuning half of
# bench/finder.py.
_TAIL, _TOLERANCE = 0.2, 0.02
_LATTICE = 4  # trials a decade, at the finest
# For so many times as long, what is chosen has to keep all but so much of its descent.
_LONGER, _LOSS = 3, 0.25
# How often `minimum` alone is right there.
_ALONE = 0.7
# A fall of so many standard errors is none of chance; of the least of many means.
_CLEAR, _CLEAR_OF_MANY = 2.0, 3.0
# Nor one below so much of the loss, of either sign: some roundings of a float32.
_ROUNDING = 1e-6
# Losses whose median has to be too high for a divergence that the average lags behind.
_WINDOW = 9
# log10 of what each rule gives over the best rate: the median of the tuning half.
_BIAS = {"valley": -0.7, "slide": -0.3, "minimum": -0.2, "steep": 0.35}


@dataclass(frozen=True, eq=False, repr=False)
class RangeTest:
    """What a range test found.

    Attributes
    ----------
    lrs, losses : ndarray of float64
        The rates, and the loss before the step at each; the last may not be finite.
    smoothed : ndarray of float64
        Debiased exponential averages of the losses, in log lr.
    suggestions : dict of float
        What each rule reads off `smoothed`; empty where there are too few points.
    suggestion : float
        The consensus: the rate to train at; nan where there is none.
    confidence : float
        In [0, 1].
    reason : str
        What it rests on, or what to change.
    trial_lrs, trial_losses : ndarray of float64
        The rates tried, rising, and the mean loss of each trial's last fifth; infinite
        where it diverged, or rose when it was trained for longer.
    """

    lrs: Array
    losses: Array
    smoothed: Array
    suggestions: dict[str, float]
    suggestion: float
    confidence: float
    reason: str
    trial_lrs: Array
    trial_losses: Array

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Draw it, into a file or for a notebook: see `lrcore.plots.range_test`."""
        from lrcore import plots  # which imports optimizers

        return plots.range_test(self, path)

    def apply(self, opt: Optimizer) -> None:
        """Set the rate suggested: the first group's; others' keep their ratio to it.

        To train by a schedule with this peak, make it of each group's rate then::

            found.apply(opt)
            for group in opt.param_groups:
                group["lr"] = Cosine(group["lr"], total=1000).warmup(100)

        Raises
        ------
        TypeError, ValueError
            It is no optimizer, there is no suggestion, a group's lr is a schedule, or
            the first's is 0 where there are others.  Nothing is set then.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> W, b = np.ones(2), np.ones(1)
        >>> groups = [{"params": W}, {"params": b, "lr": 0.01}]
        >>> opt = lrcore.SGD(groups, lr=0.1)
        >>> def loss_and_grad(_):
        ...     return (W @ W + b @ b) / 2, [W.copy(), b.copy()]
        >>> lrcore.lr_find(opt, loss_and_grad, [0]).apply(opt)
        >>> [round(group["lr"], 3) for group in opt.param_groups]
        [0.125, 0.012]
        """
        kept = ratios(opt)
        if not isfinite(self.suggestion):
            raise ValueError(
                f"suggestion: expected a rate, found {self.suggestion}: {self.reason}"
            )
        for k, group in enumerate(opt.param_groups):
            if callable(group["lr"]):
                raise ValueError(
                    f"opt: expected a number as the lr of param_groups[{k}], found "
                    f"{shown(group['lr'])}, which the suggestion would replace; set a "
                    "number, apply, and make the schedule of what is set then"
                )
        for group, ratio in zip(opt.param_groups, kept, strict=True):
            group["lr"] = self.suggestion * ratio

    def __repr__(self) -> str:
        return _text(self)


def ratios(opt: Optimizer) -> list[float]:
    """Return each group's learning rate over the first's, at the next step.

    Raises
    ------
    TypeError, ValueError
        It is no optimizer; the first's is 0, and there are others.
    """
    if not isinstance(opt, Optimizer):
        raise TypeError(f"opt: expected an optimizer of lrcore, found {shown(opt)}")
    now = [float(group.at("lr", opt.t)) for group in opt.param_groups]
    if len(now) == 1:
        return [1.0]
    if not now[0] > 0:
        raise ValueError(
            "opt: expected the first group's lr > 0 at the next step, as the others' "
            f"keep their ratio to it, found [{listed(now)}]; set numbers for the "
            "range test, and schedules after it"
        )
    return [lr / now[0] for lr in now]


# --- the curve ------------------------------------------------------------------------


class Curve:
    """The losses of a sweep or of a trial, and how it ended.

    lrs : the rates that are handed out, if nothing ends it before.
    losses, smoothed : so far; the latter debiased exponential averages over log lr.
    ended : see `Ended`.
    """

    def __init__(self, lrs: Array, smoothing: float, stop: float) -> None:
        self.lrs = lrs
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.ended: Ended = ""
        self._stop = stop
        x = places(lrs)
        self._decays = smoothing ** np.diff(x, prepend=x[0] - 1)
        self._total = self._weight = 0.0
        self._best = inf

    def add(self, loss: float) -> None:
        """Take the loss at the next rate."""
        decay = float(self._decays[len(self.losses)])
        self._total = decay * self._total + loss
        self._weight = decay * self._weight + 1
        value = self._total / self._weight
        self.losses.append(loss)
        self.smoothed.append(value)
        self._best = min(self._best, value)
        if not isfinite(loss):
            self.ended = "not finite"
        elif value > self._limit(self.smoothed[0], self._best):
            self.ended = "diverged"

    def _limit(self, least: float, best: float) -> float:
        """Return so many times the best, of any sign, and no less than that."""
        if self._stop == inf:
            return inf
        return max(least, best + (self._stop - 1) * abs(best))

    @property
    def rise(self) -> float | None:
        """The rate from which losses stay too high, by the median of some.

        Above the limit, that is, and all before the best.  None where they do not, or
        where their average ended the sweep.
        """
        if self.ended or len(self.losses) < _WINDOW:
            return None
        windows = np.lib.stride_tricks.sliding_window_view(self.losses, _WINDOW)
        medians = np.median(windows, axis=1)
        before = medians[: medians.argmin() + 1]
        low = medians <= self._limit(float(before.max()), float(before[-1]))
        if low[-1]:
            return None
        return float(self.lrs[np.flatnonzero(low)[-1] + 1 + _WINDOW // 2])

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        """The rates so far, the losses and their averages."""
        losses = np.array(self.losses, float)
        return self.lrs[: len(losses)].copy(), losses, np.array(self.smoothed, float)


def places(lrs: Array) -> Array:
    """Return where rates lie in log lr, in mean spacings; equal ones by their order."""
    x = np.log(lrs / lrs[0])
    return x / (x[-1] / (len(x) - 1)) if x[-1] > 0 else np.arange(float(len(x)))


def rules(lrs: Array, smoothed: Array) -> dict[str, float]:
    """Return what each rule suggests; nothing where there are too few points.

    As in fastai, the first tenth of the points and the last 5 are not looked at.
    """
    first, last = int(len(lrs) * _SKIP_FIRST), len(lrs) - _SKIP_LAST
    lrs, smoothed = lrs[first:last], smoothed[first:last]
    if len(lrs) < FEWEST - _SKIP_LAST - int(FEWEST * _SKIP_FIRST):
        return {}
    return {rule.__name__: rule(lrs, smoothed) for rule in _RULES}


def valley(lrs: Array, smoothed: Array) -> float:
    """Return the rate half-way (1/3 + 1/6) along the longest fall of the loss.

    That is the longest strictly decreasing subsequence, so that noise does not end it,
    taken to begin as many points before its end as it has.
    """
    length = np.ones(len(smoothed), int)
    for i in range(1, len(smoothed)):
        before = length[:i][smoothed[:i] > smoothed[i]]
        length[i] += before.max(initial=0)
    end = int(length.argmax())
    third = length[end] / 3
    return float(lrs[end - length[end] + int(third) + int(third / 2)])


def slide(lrs: Array, smoothed: Array) -> float:
    """Return the left end of an interval that is moved left from the curve's end.

    It spans 15 points, and moves until the slopes at its ends differ by no more than
    0.005; the place before that counts.
    """
    width = min(_SLIDE_WIDTH, len(lrs) - 1)
    slope = np.gradient(smoothed, places(lrs))
    alike = np.flatnonzero(np.abs(slope[width:] - slope[:-width]) <= _SLIDE_SLOPE)
    left = alike[-1] + 1 if len(alike) else 0
    return float(lrs[min(left, len(lrs) - width - 1)])


def minimum(lrs: Array, smoothed: Array) -> float:
    """Return a tenth of the rate of the least loss."""
    return float(lrs[smoothed.argmin()] / 10)


def steep(lrs: Array, smoothed: Array) -> float:
    """Return the rate where the loss falls fastest by log lr."""
    return float(lrs[np.gradient(smoothed, places(lrs)).argmin()])


_RULES = (valley, slide, minimum, steep)

# --- trials ---------------------------------------------------------------------------


class Trials:
    """Trains for so many steps at rates about a first guess, to compare them.

    The rates lie on a lattice about the guess; `scores` are by their places there: the
    mean of a trial's last losses, infinite where it ended before or did not hold.
    """

    def __init__(self, start: float, end: float, steps: int) -> None:
        self.steps = steps
        self.scores: dict[int, float] = {}
        self._start, self._end = start, end
        self._guess: float | None = None
        self._held: set[int] = set()
        self._place = 0
        self._longer = False
        self.first = self.error = self._clear = nan

    def begin(self, sweep: Curve) -> None:
        """Begin at what the sweep says, if it says anything."""
        lrs, losses, smoothed = sweep.arrays
        guess = read(lrs, losses, smoothed).get("minimum")
        if guess is not None and self.steps:
            self._guess = min(max(guess, self._start), self._end)
            self.first, self.error = beginning(losses, self.tail)
            self._clear = fall_of_chance(self.first, _CLEAR * self.error)

    @property
    def tail(self) -> int:
        """Of how many losses a score is the mean."""
        return max(1, round(_TAIL * self.steps))

    def rate(self, place: int) -> float:
        """Return the rate at a place."""
        return float((self._guess or nan) * 10 ** (place / _LATTICE))

    def next(self) -> tuple[float, int] | None:
        """Return the rate to try next, and for how many steps; None: it is found.

        Half a decade to both sides of the best, and when neither is better, a quarter.
        While none has descended or diverged, a decade above the highest.  What would be
        chosen then has to hold for longer.
        """
        if self._guess is None:
            return None
        for place in self._candidates():
            inside = self._start <= self.rate(place) <= self._end
            if inside and place not in self.scores:
                self._place, self._longer = place, False
                return self.rate(place), self.steps
        place = self.chosen
        if place in self._held or self.scores[place] == inf:
            return None
        self._place, self._longer = place, True
        return self.rate(place), _LONGER * self.steps

    def _candidates(self) -> list[int]:
        if not self.scores:
            return [0]
        best, top = self.best, max(self.scores)
        near = [best - 2, best + 2] if best % 2 == 0 else []
        near += [best - 1, best + 1]
        flat = abs(self.scores[top] - self.first) <= self._clear
        if flat and self.scores[best] >= self.first - self._clear:
            return [top + _LATTICE, top + 1]
        return near

    def add(self, trial: Curve) -> None:
        """Take the trial of the rate that was next."""
        place = self._place
        score = inf if trial.ended else float(np.mean(trial.losses[-self.tail :]))
        if not self._longer:
            self.scores[place] = score
        elif score <= self.scores[place] + self._may_rise(place):
            self._held.add(place)
        else:  # nor do the rates above it
            self.scores |= {k: inf for k in self.scores if k >= place}

    def _may_rise(self, place: int) -> float:
        """Return how much above its score a rate may be that holds."""
        return max(self._clear, _LOSS * (self.first - self.scores[place]))

    @property
    def best(self) -> int:
        """The place of the least score, the lowest of equal ones."""
        return min(self.scores, key=lambda place: (self.scores[place], place))

    @property
    def chosen(self) -> int:
        """The lowest place whose descent, and of all up to the best, is near.

        What is best for few steps is rather too high for more.
        """
        order = sorted(self.scores)
        k = order.index(self.best)
        least = self.scores[self.best]
        while k > 0 and self.scores[order[k - 1]] <= least + _TOLERANCE * (
            self.first - least
        ):
            k -= 1
        return order[k]

    @property
    def at_start(self) -> bool:
        """Whether the rate chosen is the lowest that there could be."""
        return self.rate(self.chosen - 1) < self._start


# --- the verdict ----------------------------------------------------------------------


def read(lrs: Array, losses: Array, smoothed: Array) -> dict[str, float]:
    """Return what each rule suggests; the last loss may not be finite."""
    finite = int(np.isfinite(losses).sum())
    return rules(lrs[:finite], smoothed[:finite])


def few(number: int) -> int:
    """Return of how many losses a mean is taken to look at a curve of so many."""
    return max(2, int(_SKIP_FIRST * number))


def beginning(losses: Array, meant: int) -> tuple[float, float]:
    """Return the loss at rates too low to change it.

    And the standard error of what a mean of so many other losses is below it.
    """
    first = losses[: few(len(losses))]
    noise = float(first.std(ddof=1))
    return float(first.mean()), noise * (1 / len(first) + 1 / meant) ** 0.5


def fall_of_chance(first: float, error: float) -> float:
    """Return the largest fall that counts as none."""
    return max(error, _ROUNDING * abs(first))


def conclude(sweep: Curve, trials: Trials, cut: str = "") -> RangeTest:
    """Return the result of a sweep, and of the trials after it.

    cut : what cut them short, if anything.
    """
    lrs, losses, smoothed = sweep.arrays
    finite = int(np.isfinite(losses).sum())
    found, tried, how = read(lrs, losses, smoothed), trials.scores, _ending(sweep)
    trial_lrs = [trials.rate(place) for place in sorted(tried)]
    trial_losses = [tried[place] for place in sorted(tried)]

    def told(suggestion: float, confidence: float, *reasons: str) -> RangeTest:
        return RangeTest(
            lrs, losses, smoothed, found, suggestion, confidence,
            "; ".join(filter(None, (*reasons, cut))),
            np.array(trial_lrs, float), np.array(trial_losses, float),
        )  # fmt: skip

    def none(*reasons: str) -> RangeTest:
        return told(nan, 0.0, *reasons)

    if sweep.ended and not finite:
        return none(
            "the loss is not finite before the first step: look at the data, the "
            "params or loss_and_grad"
        )
    if not found:
        advice = {
            "": "",
            "diverged": "lower start, or raise num",
            "not finite": "look at the gradients, lower start, or raise num",
        }[sweep.ended]
        return none(f"too few points ({finite})", how, advice)

    if tried:
        first, error, clear = trials.first, trials.error, _CLEAR
        least = min(trial_losses)
    else:
        meant, clear = few(len(losses)), _CLEAR_OF_MANY
        first, error = beginning(losses[:finite], meant)
        means = np.convolve(losses[:finite], np.full(meant, 1 / meant), "valid")
        least = float(means.min())
    if least == inf:
        return none(how, "no trial held: lower start")
    fall = first - least
    flat = not fall > fall_of_chance(first, clear * error)
    if flat and not sweep.ended:
        advice = "" if cut or sweep.rise else "raise end, or "
        return none(f"flat: {advice}look at the gradients", how)
    if flat and (trials.at_start if tried else fall <= fall_of_chance(first, 0.0)):
        return none(how, "no rate descends: look at the gradients and their sign")
    sure = max(fall, 0.0) / (max(fall, 0.0) + error) if error else 1.0
    higher = "" if cut else ": raise end"
    if not tried:
        bases = [log10(found[name]) - bias for name, bias in _BIAS.items()]
        confidence = _ALONE * sure / (1 + float(np.std(bases)))
        falls = not sweep.ended and int(smoothed.argmin()) >= finite - 1 - _SKIP_LAST
        confidence /= 2 if flat or falls else 1
        basis = "a tenth of the rate of the least loss"
        if flat:
            basis = "no clear descent before that"
        elif falls and not sweep.rise:
            basis = f"still falling there{higher}"
        return told(found["minimum"], confidence, how, basis)
    near = [k for k, value in tried.items() if value <= least + 0.1 * abs(fall)]
    width = (max(near) - min(near) + 1) / _LATTICE
    inside = max(tried) > trials.best
    confidence = sure * width / (width + 0.25) * (1.0 if inside else 0.5)
    number = f"{len(tried)} trials" if len(tried) > 1 else "1 trial"
    basis = f"best of {number} of {trials.steps} steps"
    if trials.chosen != trials.best:
        basis = f"lowest rate within {100 * _TOLERANCE:g} % of the {basis}"
    if not inside:
        basis += f"; the highest is the best{higher}"
    if flat:
        basis, confidence = f"no clear descent before that; {basis}", confidence / 2
    return told(trials.rate(trials.chosen), confidence, how, basis)


def _ending(sweep: Curve) -> str:
    """Say how a sweep ended."""
    if not sweep.losses:
        return ""
    last = f"{sweep.lrs[len(sweep.losses) - 1]:.2g}"
    if sweep.rise:
        return f"loss diverged at {sweep.rise:.2g}, its average not up to {last}"
    return {
        "": f"no divergence up to {last}",
        "diverged": f"diverged at {last}",
        "not finite": f"loss not finite at {last}",
    }[sweep.ended]


def loss_range(losses: Array, others: Array) -> tuple[float, float]:
    """Return which losses to show of a curve: what is far above the first is not."""
    first = float(np.median(losses[: few(len(losses))]))
    all_losses = np.concatenate([losses, others])
    low = float(all_losses.min())
    return low, min(first + 0.6 * (first - low), float(all_losses.max()))


def _text(test: RangeTest) -> str:
    """Return a table of 16 rates, with bars, and what is suggested."""
    lines = [f"{'lr':>9} {'loss':>10} {'smoothed':>10}"]
    rows = np.unique(np.linspace(0, max(0, len(test.lrs) - 1), 16).astype(int))
    shown = test.smoothed[np.isfinite(test.smoothed)]
    low, high = loss_range(shown, shown) if len(shown) else (0.0, 0.0)
    for i in rows if len(test.lrs) else ():
        value = test.smoothed[i]
        part = min((value - low) / (high - low), 1.0) if high > low else 0.0
        bar = "#" * round(1 + 39 * part) if isfinite(value) else ""
        numbers = f"{test.lrs[i]:>9.2g} {test.losses[i]:>10.4g} {value:>10.4g}"
        lines.append(f"{numbers}  {bar}".rstrip())
    if len(test.trial_lrs):
        lines += ["", f"{'trial':>9} {'loss':>10}"]
        for lr, loss in zip(test.trial_lrs, test.trial_losses, strict=True):
            mark = "  <" if lr == test.suggestion else ""
            lines.append(f"{lr:>9.2g} {loss:>10.4g}{mark}")
    told = [f"{name} {lr:.2g}" for name, lr in test.suggestions.items()]
    lines += ["", ", ".join(told) or "no rule can read it"]
    verdict = f"suggestion {test.suggestion:.3g}, confidence {test.confidence:.2f}"
    lines += [fill(f"{verdict}: {test.reason}", 80)]
    return "\n".join(lines)
