"""How near optimizers without a learning rate come to AdamW with its best one.

    python bench/learning_rate_free.py [--cosine] [--times N] [--cases ROW ...]

Every problem of problems.py is trained from two seeds, by each optimizer at its
defaults but for what its row names, and by AdamW at 13 rates from 1e-5 to 10, half a
decade apart.  The best of those, least, is that of the problem and the seed.  With
first and last the full losses before and after a training,

    ratio = last / least,   q = (first - last) / (first - least)

10 % ... worst   quantiles of the ratio; a loss that is not finite counts as inf
<= 1.1           share of the cases with such a ratio
reached          share with q >= 0.95, where a loss near 0 makes no difference
q                its median
failed           cases with a loss that is not finite, or higher than before

Baselines, too: AdamW at its default rate, at the median of the best rates (known only
afterwards), and at what lrcore.lr_find suggests; SGD at the best of the same rates.
--cosine adds those that a cosine to 0 is advised for, and AdamW at its best rate with
one; --times trains so many times as long; --cases prints every case of a row.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from finder import RATES, tested
from problems import PROBLEMS, by_name
from runs import SEEDS

import lrcore
from lrcore.schedules import Cosine

QUANTILES = {"10 %": 0.1, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "90 %": 0.9,
             "worst": 1.0}  # fmt: skip


class Way(NamedTuple):
    """How to train.

    build : of params and the number of steps, an optimizer.
    step : of it, gradients and the loss of their batch.
    result : of it, a context in which the params are what the training is for.
    """

    build: Callable[[Any, int], lrcore.Optimizer]
    step: Callable[[Any, Any, float], Any] = lambda opt, grads, _: opt.step(grads)
    result: Callable[[Any], AbstractContextManager[Any]] = nullcontext


def default(kind, **more):
    """Return the way of an optimizer at its defaults, but for `more`."""
    return Way(lambda params, _: kind(params, **more))


def averaged(kind, **more):
    """Return the same, judged by its average of the params."""
    return default(kind, **more)._replace(result=lambda opt: opt.averaged())


def annealed(kind, lr=1.0, **more):
    """Return the same, with a cosine to 0."""
    return Way(lambda params, n: kind(params, lr=Cosine(lr, total=n), **more))


def polynomial(t):
    """Return the decay of the average that DoG's authors take, with a gamma of 8."""
    return t / (t + 9)


WAYS = {
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


def train(problem, seed, way):
    """Return the full loss before and after a training; inf if it is not finite."""
    params = problem.params(np.random.default_rng([seed, 0]))
    batches = problem.batches(np.random.default_rng([seed, 1]))
    opt = way.build(params, problem.steps)
    first = problem.full_loss(params)
    for _ in range(problem.steps):
        loss, grads = problem.loss_and_grad(params, next(batches))
        way.step(opt, grads, loss)
    with way.result(opt):
        last = problem.full_loss(params)
    return first, last if np.isfinite(last) else np.inf


def measure(job):
    """Return a case's first loss, AdamW's last by rate, and the last of each row."""
    name, seed, times, cosine = job
    problem = by_name(name)
    problem = problem._replace(steps=times * problem.steps)

    def last(way):
        return train(problem, seed, way)[1]

    tuned = TUNED | TUNED_WITH_COSINE if cosine else TUNED
    ways = WAYS | WITH_COSINE if cosine else WAYS
    with np.errstate(all="ignore"):
        first, grid = zip(*(train(problem, seed, way) for way in ADAMW), strict=True)
        lasts = {name: min(map(last, ways)) for name, ways in tuned.items()}
        found, _ = tested(problem, "AdamW", seed)
        lasts["AdamW, lr_find"] = last(default(lrcore.AdamW, lr=found.suggestion))
        lasts |= {name: last(way) for name, way in ways.items()}
    return first[0], grid, lasts


def short(ratio):
    if np.isfinite(ratio) and not 1e-6 <= ratio <= 1e6:
        return "> 1e6" if ratio > 1 else "< 1e-6"
    return f"{ratio:.3g}" if 0.1 <= ratio < 1000 else f"{ratio:.2g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cosine", action="store_true", help="with schedules, too")
    parser.add_argument("--times", type=int, default=1, help="train so much longer")
    parser.add_argument("--cases", nargs="+", default=[], help="rows to print whole")
    arguments = parser.parse_args()
    # Read where NumPy is imported: in the processes.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    start = time.perf_counter()
    cases = [(problem.name, seed) for problem in PROBLEMS for seed in SEEDS]
    jobs = [(*case, arguments.times, arguments.cosine) for case in cases]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        firsts, grids, lasts = zip(*pool.map(measure, jobs), strict=True)
    print(f"{len(PROBLEMS)} problems, {len(cases)} cases, "
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
