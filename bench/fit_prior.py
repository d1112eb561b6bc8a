"""How the best rate of an optimizer lies to the guess of a sweep: fits that prior.

    python bench/fit_prior.py [--jobs N]

The cases are those of finder.py's tuning half.  The guess is that with which the race
of `lr_find` would begin; the best rate is the middle, in log lr, of the rates of 13
trainings that reach 90 % of the descent of the best one.  It prints the median of
log10(best rate / guess) for each optimizer, and fits models of it by least absolute
deviations.  "apart" is the mean absolute deviation on problems that were left out: the
problems are divided into 6 folds.

`usual` of lrcore/finder/_guess.py has the coefficients of the model by what the
optimizer remembers, rounded to quarters of a decade.
"""

import argparse
import multiprocessing
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from finder import Case
from finders import RATES
from problems import by_name
from runs import OPTIMIZERS, SEEDS, SPLITS, pairs, rates_of

import lrcore
from lrcore.finder._guess import first_guess, is_clear, paired_guess

FOLDS = 6


def sweep(case):
    """Return the curve of a sweep, and the first params' losses on its batches."""
    params, opt = case.begin()
    resting, start, batches = [], case.begin()[0], []
    source = case.batches()
    with lrcore.LRSweep(opt, trial_steps=0) as test:
        for _ in test:
            if test.at == len(batches):
                batches.append(next(source))
                resting.append(case.loss_and_grad(start, batches[-1])[0])
            loss, grads = case.loss_and_grad(params, batches[test.at])
            opt.step(grads, loss)
            test.record(loss)
    return test._search._swept, resting, opt


def measure(job):
    """Return (problem, optimizer, log10 of best rate over guess, features) or None."""
    name, optimizer, seed = job
    problem = by_name(name)
    case = Case(problem, optimizer, seed, problem.steps)
    rates = rates_of(problem, optimizer, RATES)
    with np.errstate(all="ignore"):
        ends = np.array([case.train(lr) for lr in rates])
        curve, resting, opt = sweep(case)
        guess = first_guess(curve)
        if not is_clear(curve):
            guess = paired_guess(curve, resting) or guess
    if guess is None:
        return None
    gain = np.where(np.isfinite(ends[:, 1]), ends[:, 0] - ends[:, 1], -np.inf)
    best = np.mean(np.log10(rates)[gain >= 0.9 * gain.max()])
    rows = next(case.batches())
    while isinstance(rows, tuple):
        rows = rows[0]
    kept = opt.state[0]
    features = {
        "mean": float("m" in kept),
        "squares": float("v" in kept),
        "params": np.log10(sum(len(leaf.array.ravel()) for leaf in opt._tree.leaves)),
        "batch": np.log10(max(1, len(rows))) if hasattr(rows, "__len__") else 0.0,
    }
    return name, optimizer, best - np.log10(guess), features


def fit(x, y):
    """Return the coefficients with the least absolute deviations, by reweighting."""
    weights = np.ones(len(y))
    for _ in range(50):
        root = np.sqrt(weights)
        found = np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0]
        weights = 1 / np.maximum(np.abs(y - x @ found), 0.05)
    return found


def models(results):
    """Return the columns of each model, by name."""
    told = {
        name: np.array([features[name] for *_, features in results])
        for name in results[0][3]
    }
    own = [
        np.array([float(optimizer == name) for _, optimizer, *_ in results])
        for name in list(OPTIMIZERS)[1:]
    ]
    one = np.ones(len(results))
    remembered = [one, told["mean"], told["squares"]]
    return {
        "one for all": [one],
        "by what is remembered": remembered,
        "and the number of params": [*remembered, told["params"]],
        "and the batch": [*remembered, told["batch"]],
        "by optimizer": [one, *own],
    }


def report(results):
    y = np.array([away for _, _, away, _ in results])
    for name in OPTIMIZERS:
        these = y[[optimizer == name for _, optimizer, *_ in results]]
        print(f"{name:<10} {len(these):>4} cases, median {np.median(these):+.2f}")
    names = [name for name, *_ in results]
    fold = {name: k % FOLDS for k, name in enumerate(Counter(names))}
    folds = np.array([fold[name] for name in names])
    for name, columns in models(results).items():
        x, away = np.stack(columns, axis=1), np.empty(len(y))
        for k in range(FOLDS):
            out = folds == k
            away[out] = y[out] - x[out] @ fit(x[~out], y[~out])
        numbers = " ".join(f"{number:+.2f}" for number in fit(x, y))
        print(f"{name:<26} apart {np.abs(away).mean():.3f}  {numbers}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="default: %(default)s")
    jobs = [
        (name, optimizer, seed)
        for name, optimizer, half in pairs()
        if half == SPLITS[0] and not by_name(name).schedule
        if by_name(name).loss == "loss"
        for seed in SEEDS
    ]
    # NumPy reads this at import: in the worker processes.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(parser.parse_args().jobs, context) as pool:
        report([found for found in pool.map(measure, jobs) if found is not None])


if __name__ == "__main__":
    main()
