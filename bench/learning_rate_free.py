"""How near optimizers without a learning rate come to AdamW at its best rate.

    python bench/learning_rate_free.py [--cosine] [--times N] [--cases ROW ...]

A case is a standard problem of problems/ and one of two seeds.  In each case every
optimizer trains, at its defaults except for the settings in its row's name, and AdamW
trains at 13 rates from 1e-5 to 10, half a decade apart.  `least` is the lowest last
loss of these.  With `first` and `last`, the full losses before and after a training,

    ratio = last / least,   q = (first - last) / (first - least)

10 % ... worst   quantiles of the ratio; a loss that is not finite counts as inf
<= 1.1           share of the cases with a ratio of at most 1.1
reached          share of the cases with q >= 0.95, which does not depend on losses
                 that are all near 0
q                median q
failed           cases whose last loss is not finite, or higher than the first

The baselines are AdamW at its default rate, at the median of the best rates (known only
afterwards), and at the suggestion of lrcore.lr_find; SGD at the best of the same rates.
--cosine adds optimizers with a cosine to 0, which their authors advise, and AdamW with
a cosine from its best rate; --times makes the trainings N times as long; --cases prints
every case of a row.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from finder import RATES, tested
from problems import STANDARD, by_name
from runs import SEEDS, in_processes

import lrcore
from lrcore.schedules import Cosine

QUANTILES = {"10 %": 0.1, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "90 %": 0.9,
             "worst": 1.0}  # fmt: skip


class Recipe(NamedTuple):
    """How to train.

    build : (params, number of steps) -> optimizer.
    step : (optimizer, gradients, loss of their batch); takes a step.
    result : (optimizer) -> context in which the params have the values to be judged.
    """

    build: Callable[[Any, int], lrcore.Optimizer]
    step: Callable[[Any, Any, float], Any] = lambda opt, grads, _: opt.step(grads)
    result: Callable[[Any], AbstractContextManager[Any]] = nullcontext


def default(kind, **more):
    """Return the recipe of an optimizer at its defaults, except for `more`."""
    return Recipe(lambda params, _: kind(params, **more))


def averaged(kind, **more):
    """Return the same recipe, judged by its average of the params."""
    return default(kind, **more)._replace(result=lambda opt: opt.averaged())


def annealed(kind, lr=1.0, **more):
    """Return the same recipe, with a cosine to 0."""
    return Recipe(lambda params, n: kind(params, lr=Cosine(lr, total=n), **more))


def polynomial(t):
    """Return the decay of the average of DoG's authors, with gamma = 8."""
    return t / (t + 9)


RECIPES = {
    "AdamW, default rate": default(lrcore.AdamW),
    "SGDScheduleFree": averaged(lrcore.SGDScheduleFree),
    "AdamWScheduleFree": averaged(lrcore.AdamWScheduleFree),
    "DoG": default(lrcore.DoG),
    "DoG, averaged": averaged(lrcore.DoG, ema_decay=polynomial),
    "LDoG": default(lrcore.LDoG),
    "LDoG, averaged": averaged(lrcore.LDoG, ema_decay=polynomial),
    "DoWG": default(lrcore.DoWG),
    "Prodigy": default(lrcore.Prodigy),
    "Prodigy, bias-corrected": default(lrcore.Prodigy, use_bias_correction=True),
    "DAdaptAdam": default(lrcore.DAdaptAdam),
    "DAdaptAdam, bias-corrected": default(lrcore.DAdaptAdam, use_bias_correction=True),
    "DAdaptSGD": default(lrcore.DAdaptSGD),
    "SPS": default(lrcore.SPS)._replace(
        step=lambda opt, grads, loss: opt.step(grads, loss=loss)
    ),
    "SGD, Mechanic": default(lrcore.SGD, lr=1.0, mechanic=True),
    "AdamW, Mechanic": default(lrcore.AdamW, lr=1.0, mechanic=True),
    "SGDHD": default(lrcore.SGDHD),
    "AdamHD": default(lrcore.AdamHD),
}
TUNED = {"SGD, best rate": [default(lrcore.SGD, lr=lr) for lr in RATES]}
ADAMW = [default(lrcore.AdamW, lr=lr) for lr in RATES]
WITH_COSINE = {
    "Prodigy, cosine": annealed(lrcore.Prodigy),
    "DAdaptAdam, cosine": annealed(lrcore.DAdaptAdam),
    "DAdaptSGD, cosine": annealed(lrcore.DAdaptSGD),
    "SGD, Mechanic, cosine": annealed(lrcore.SGD, mechanic=True),
    "AdamW, Mechanic, cosine": annealed(lrcore.AdamW, mechanic=True),
}
TUNED_WITH_COSINE = {
    "AdamW, best rate, cosine": [annealed(lrcore.AdamW, lr) for lr in RATES]
}


def train(problem, seed, recipe):
    """Return the full losses before and after a training; inf if not finite."""
    params, batches = problem.start(seed)
    opt = recipe.build(params, problem.steps)
    first = problem.full_loss(params)
    for _ in range(problem.steps):
        loss, grads = problem.loss_and_grad(params, next(batches))
        recipe.step(opt, grads, loss)
    with recipe.result(opt):
        last = problem.full_loss(params)
    return first, last if np.isfinite(last) else np.inf


def measure(job):
    """Return a case's first loss, AdamW's last loss by rate, and each row's last."""
    name, seed, times, cosine = job
    problem = by_name(name)
    problem = problem._replace(steps=times * problem.steps)

    def last(recipe):
        return train(problem, seed, recipe)[1]

    tuned = TUNED | TUNED_WITH_COSINE if cosine else TUNED
    recipes = RECIPES | WITH_COSINE if cosine else RECIPES
    with np.errstate(all="ignore"):
        first, grid = zip(*(train(problem, seed, r) for r in ADAMW), strict=True)
        lasts = {name: min(map(last, by_rate)) for name, by_rate in tuned.items()}
        found, _ = tested(problem, "AdamW", seed)
        lasts["AdamW, lr_find"] = last(default(lrcore.AdamW, lr=found.suggestion))
        lasts |= {name: last(recipe) for name, recipe in recipes.items()}
    return first[0], grid, lasts


def short(ratio):
    if np.isfinite(ratio) and not 1e-6 <= ratio <= 1e6:
        return "> 1e6" if ratio > 1 else "< 1e-6"
    return f"{ratio:.3g}" if 0.1 <= ratio < 1000 else f"{ratio:.2g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cosine", action="store_true", help="add rows with a cosine")
    parser.add_argument("--times", type=int, default=1, help="train N times as long")
    parser.add_argument(
        "--cases", nargs="+", default=[], help="print every case of these rows"
    )
    arguments = parser.parse_args()
    start = time.perf_counter()
    cases = [(problem.name, seed) for problem in STANDARD for seed in SEEDS]
    jobs = [(*case, arguments.times, arguments.cosine) for case in cases]
    firsts, grids, lasts = zip(*in_processes(measure, jobs), strict=True)
    print(f"{len(STANDARD)} problems, {len(cases)} cases, "
          f"{time.perf_counter() - start:.0f} s\n")  # fmt: skip

    first, grid = np.array(firsts), np.array(grids)
    least, best = grid.min(axis=1), grid.argmin(axis=1)
    middle = int(np.median(best))
    rows = {f"AdamW, median best rate ({RATES[middle]:g})": grid[:, middle]}
    rows |= {name: np.array([last[name] for last in lasts]) for name in lasts[0]}
    heads = [*QUANTILES, "<= 1.1", "reached", "q", "failed"]
    print("|  | " + " | ".join(heads) + " |\n|---" + "|---:" * len(heads) + "|")
    for name, last in rows.items():
        ratio, q = last / least, (first - last) / (first - least)
        found = np.quantile(ratio, list(QUANTILES.values()), method="nearest")
        shares = np.mean(ratio <= 1.1), np.mean(q >= 0.95), np.median(q)
        told = [short(x) for x in found] + [f"{x:.2f}" for x in shares]
        print(f"| {name} | " + " | ".join(told) + f" | {np.sum(q < 0)} |")
    for name in arguments.cases:
        print(f"\n{name}")
        for case, *told in zip(cases, first, least, rows[name], strict=True):
            print(f"{case[0]:<26}{case[1]}  {told[0]:>9.3g} -> {told[2]:<9.3g} "
                  f"{told[2] / told[1]:.3g} times {told[1]:.3g}")  # fmt: skip


if __name__ == "__main__":
    main()
