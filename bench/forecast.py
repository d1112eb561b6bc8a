"""How well a run's last loss is foretold from its first third and its schedule.

    python bench/forecast.py

The problems of runs.py whose loss has a meaning, undisturbed, but for bowls and
valleys, are trained three times as long as there, from two seeds, at the best of its
rates: by a cosine to 0, and by a rate that is constant until it falls to 0 in the last
fifth (WSD).  The forecasts are told the losses of the first third, and the schedule:

last        the mean of the last 15th of the run that is seen
power       L0 + A (1 + S / s)^-alpha, S being the sum of the rates before the step
multi       the multi-power law of Luo et al. 2025 (arXiv 2503.12811, equation 4): less
            B sum_k (eta_k-1 - eta_k) (1 - (1 + C eta_k^-gamma S_k)^-beta), where S_k
            is the sum of rates from k on.  Nothing in the first third tells B: it is b
            times the part of the loss that is still to fall by the power law.  b and C
            are those that are best on the tuning half; beta = gamma = 1/2
collapse    all curves of a schedule, (loss - last) / (first - last) by the share of the
            run, are taken for one, as those of models trained compute-optimally are
            (scaling collapse; Qiu et al. 2025, arXiv 2507.02119).  A floor, by which
            they normalize, is not known here; first is the mean of the first 15th.  Of
            the curve, only what is left after a third is needed: the median of the
            tuning half
seed        the last loss of the other seed: luck decides at least as much

The figure is the median of |forecast - last| / |last| on the held-out half, last being
the mean loss of the last 20th.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from problems import by_name
from runs import OPTIMIZERS, SEEDS, SPLITS, in_processes, pairs, runs

from lrcore.schedules import WSD, Cosine

TIMES = 3
ALPHAS = np.linspace(0.1, 3, 25)[:, None, None]
SCALES = np.r_[0.5, np.geomspace(1, 300, 10)][:, None]
FALLS = (0.0, 0.25, 0.5, 0.75, 1.0)
CURVES = (0.01, 0.1, 1.0, 10.0)
SCHEDULES = {
    "cosine": lambda steps: Cosine(1.0, total=steps),
    "WSD": lambda steps: WSD(1.0, steps, 0, steps // 5),
}


class Curve(NamedTuple):
    """A run: who trained it, and its losses and rates, of which the greatest is 1."""

    pair: tuple[str, str, str]
    group: str
    schedule: str
    losses: np.ndarray
    rates: np.ndarray

    @property
    def last(self):
        return self.losses[-(len(self.losses) // 20) :].mean()


def trained(job):
    """Return the curves of a problem and optimizer at this rate, by schedule, seed."""
    pair, lr = job
    problem = by_name(pair[0])
    steps, curves = TIMES * problem.steps, []
    for name, make in SCHEDULES.items():
        rates = make(steps)(np.arange(steps))
        for seed in SEEDS:
            params, batches = problem.start(seed)
            opt = OPTIMIZERS[pair[1]](params, lr, **problem.options)
            losses = np.empty(steps)
            for t, rate in enumerate(rates):
                opt.lr = lr * rate
                losses[t], grads = problem.loss_and_grad(params, next(batches))
                opt.step(grads)
            curves.append(Curve(pair, problem.group, name, losses, rates))
    return curves


def mean_last(curve):
    seen = len(curve.losses) // 3
    return curve.losses[seen - len(curve.losses) // 15 : seen].mean()


def mean_first(curve):
    return curve.losses[: len(curve.losses) // 15].mean()


def left(curves):
    """Return the median share of a descent that is left after a third, by schedule."""
    shares = {schedule: [] for schedule in SCHEDULES}
    for curve in curves:
        descent = mean_first(curve) - curve.last
        if descent:
            shares[curve.schedule].append((mean_last(curve) - curve.last) / descent)
    return {schedule: np.median(each) for schedule, each in shares.items()}


def collapse(curve, shares):
    """Return the forecast by which so much of the descent is left as in other runs."""
    share = shares[curve.schedule]
    told = (mean_last(curve) - share * mean_first(curve)) / (1 - share)
    return max(told, 0.0) if curve.losses[: len(curve.losses) // 3].min() >= 0 else told


def power(curve, fall=0.0, c=1.0):
    """Return the forecast of the (multi-)power law that fits the first third best.

    Its losses are averaged in bins whose lengths grow.  L0 and A are those of least
    squares, for each alpha and s of a grid.
    """
    n = len(curve.losses)
    ends = np.unique(np.geomspace(1, n // 3, 24).astype(int))
    begins = np.r_[0, ends[:-1]]
    size = ends - begins
    y = np.add.reduceat(curve.losses[: ends[-1]], begins) / size
    at = np.r_[(begins + ends) // 2, n - n // 40]
    sums = np.cumsum(curve.rates) - curve.rates
    shape = (1 + sums[at] / SCALES) ** -ALPHAS
    if fall:
        dropped, rate = -np.diff(curve.rates), np.maximum(curve.rates[1:], 1e-9)
        since = np.maximum(sums[at][:, None] - sums[1:], 0) * rate**-0.5
        done = (dropped * (1 - (1 + c * since) ** -0.5)).sum(axis=1)
        shape = shape - fall * shape[..., -2:-1] * done
    told, end = shape[..., :-1], shape[..., -1]
    weight = size / size.sum()
    mean, level = told @ weight, y @ weight
    centred = told - mean[..., None]
    a = (centred * (y - level)) @ weight / np.maximum((centred**2) @ weight, 1e-30)
    floor = level - a * mean
    if y.min() >= 0:
        below = floor < 0
        a = np.where(below, (told * y) @ weight / ((told**2) @ weight), a)
        floor = np.where(below, 0, floor)
    error = ((floor[..., None] + a[..., None] * told - y) ** 2) @ weight
    best = np.unravel_index(error.argmin(), error.shape)
    return float(floor[best] + a[best] * end[best])


def errors(forecast, curves):
    """Return the relative errors of a forecast."""
    # A loss that has come to 0 is never foretold.
    size = [max(abs(c.last), 1e-30) for c in curves]
    told = [abs(forecast(c) - c.last) for c in curves]
    return np.array(told) / size


def constants(curves):
    """Return the b and C with the least median error."""
    every = [(b, c) for b in FALLS for c in (CURVES if b else CURVES[:1])]
    return min(
        every,
        key=lambda bc: np.median(errors(partial(power, fall=bc[0], c=bc[1]), curves)),
    )


def best_rates():
    """Return each pair of these problems with its best rate."""
    first = {pair[:2]: pair for pair in pairs()}
    jobs = {}
    for run in runs():
        problem = by_name(run.problem)
        told = problem.loss == "loss" and problem.group != "disturbed"
        if run.q == 1 and told and problem.kind not in ("bowl", "valley"):
            jobs[run.problem, run.optimizer] = run.lr
    return [(first[key], lr) for key, lr in jobs.items()]


def main():
    curves = [c for four in in_processes(trained, best_rates()) for c in four]
    others = {}
    for a, b in zip(curves[::2], curves[1::2], strict=True):
        others[id(a)], others[id(b)] = b.last, a.last
    whole = [c for c in curves if np.isfinite([*c.losses, others[id(c)]]).all()]
    print(f"{len(curves)} runs, {len(curves) - len(whole)} not finite, left out")
    tuning = [x for x in whole if x.pair[2] == SPLITS[0]]
    (b, c), shares = constants(tuning), left(tuning)
    forecasts = {
        "last": mean_last, "power": power, "multi": partial(power, fall=b, c=c),
        "collapse": partial(collapse, shares=shares), "seed": lambda x: others[id(x)],
    }  # fmt: skip
    print(f"b = {b}, C = {c}; left after a third:",
          *(f"{share:.3f} ({name})" for name, share in shares.items()))  # fmt: skip
    print(f"{'':<24}{'runs':>6}" + "".join(f"{name:>9}" for name in forecasts))
    for schedule in SCHEDULES:
        for group in ("ordinary", "all"):
            these = [
                x for x in whole
                if x.schedule == schedule and group in (x.group, "all")
                and x.pair[2] == SPLITS[1]
            ]  # fmt: skip
            told = [np.median(errors(each, these)) for each in forecasts.values()]
            figures = "".join(f"{x:>9.3f}" for x in told)
            print(f"{schedule:<8}{group:<16}{len(these):>6}{figures}")


if __name__ == "__main__":
    main()
