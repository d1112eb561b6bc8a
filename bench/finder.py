"""How near the range test's suggestion comes to the best learning rate.

    python bench/finder.py [--half held-out] [--times N] [--misses]

The cases are the problems and optimizers of runs.py, from two seeds, but for problems
with a schedule of their own.  The range test
begins with the params of the training, and sees batches in another order.  Then each
suggested rate is used for a training, which gets the score

    q = (first - last) / (first - least)

where first and last are the full losses before and after it, and least is the lowest
last loss of trainings of the same seed at 13 rates from 1e-5 to 10, half a decade
apart (of SGD, divided by the scale of the problem's loss).

reached    share of the cases with q >= 0.95
near       share of the cases with q >= 0.8
median     median q
failed     cases whose last loss is not finite, or higher than the first
none       cases without a suggestion

The constants of lrcore/_suggest.py were chosen on the tuning half.  --times makes the
trainings N times as long; the trials stay as they are, and tell less about them.
"""

import argparse
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from problems import by_name
from runs import OPTIMIZERS, SEEDS, SPLITS, pairs, rates_of

import lrcore

RATES = [float(f"{10 ** (k / 2):.3g}") for k in range(-10, 3)]


def begin(problem, optimizer, seed, lr):
    """Return the params and optimizer of a seed."""
    params = problem.params(np.random.default_rng([seed, 0]))
    return params, OPTIMIZERS[optimizer](params, lr, **problem.options)


def train(problem, optimizer, seed, lr, steps):
    """Return the full loss before and after a training."""
    params, opt = begin(problem, optimizer, seed, lr)
    batches = problem.batches(np.random.default_rng([seed, 1]))
    first = problem.full_loss(params)
    for _ in range(steps):
        opt.step(problem.loss_and_grad(params, next(batches))[1])
    return first, problem.full_loss(params)


def tested(problem, optimizer, seed, **more):
    """Return a range test before such a training, and the number of its steps."""
    params, opt = begin(problem, optimizer, seed, 1e-3)
    taken = 0

    def loss_and_grad(batch):
        nonlocal taken
        taken += 1
        return problem.loss_and_grad(params, batch)

    def batches():
        return problem.batches(np.random.default_rng([seed, 2]))

    return lrcore.lr_find(opt, loss_and_grad, batches, **more), taken


# --- the rules of other libraries -----------------------------------------------------


def smoothed(losses, share, debiased, stop):
    """Return moving averages, in which the newest loss has the weight `share`.

    They end with the first that is above `stop` times the best.
    """
    average, best, out = (0.0 if debiased else losses[0]), np.inf, []
    for k, loss in enumerate(losses):
        average += share * (loss - average)
        out.append(average / (1 - (1 - share) ** (k + 1)) if debiased else average)
        best = min(best, out[-1])
        if out[-1] > stop * best:
            break
    return np.array(out)


def fastai(lrs, losses):
    """Return the suggestions of fastai 2.8, by its four rules."""
    losses = smoothed(losses, 0.02, True, 4)
    lrs, losses = lrs[10 : len(losses) - 5], losses[10:-5]
    if bad := np.flatnonzero(np.isnan(losses)).tolist():
        lrs, losses = lrs[: bad[0]], losses[: bad[0]]
    n = len(losses)
    length, end, begin = [1] * n, 0, 0
    for i in range(1, n):
        for j in range(i):
            if losses[i] < losses[j] and length[i] < length[j] + 1:
                length[i] = length[j] + 1
            if length[end] < length[i]:
                end, begin = i, i - length[i]
    third = (end - begin) / 3
    slope, left = np.gradient(losses), n - 16
    slid = lrs[left]
    while left >= 0 and abs(slope[left + 15] - slope[left]) > 0.005:
        slid, left = lrs[left], left - 1
    return {
        "fastai valley": lrs[begin + int(third) + int(third / 2)],
        "fastai slide": slid,
        "fastai minimum": lrs[losses.argmin()] / 10,
        "fastai steep": lrs[(np.diff(losses) / np.diff(np.log(lrs))).argmin()],
    }


def lightning(lrs, losses):
    """Return the steepest point, by lr (Lightning 2.6) and by index (before)."""
    losses = smoothed(losses, 0.02, True, 4)
    lrs, losses = lrs[10 : len(losses) - 1], losses[10:-1]
    lrs, losses = lrs[np.isfinite(losses)], losses[np.isfinite(losses)]
    return {
        "Lightning 2.6": lrs[np.gradient(losses, lrs).argmin()],
        "Lightning 2.0": lrs[np.gradient(losses).argmin()],
    }


def torch_lr_finder(lrs, losses):
    """Return the steepest point by index (torch-lr-finder 0.2.2)."""
    losses = smoothed(losses, 0.05, False, 5)
    lrs, losses = lrs[10 : len(losses) - 5], losses[10:-5]
    return {"torch-lr-finder": lrs[np.gradient(losses).argmin()]}


OTHERS = {fastai: (1e-7, 10), lightning: (1e-8, 1), torch_lr_finder: (1e-7, 10)}

# --- measuring ------------------------------------------------------------------------


def suggested(problem, optimizer, seed):
    """Return all suggested rates, the steps of our tests, and our RangeTest."""
    found, steps = tested(problem, optimizer, seed)
    rates = {"consensus": found.suggestion}
    taken = {"consensus": steps}
    for name, lr in found.suggestions.items():
        rates[name] = lr
    alone, steps = tested(problem, optimizer, seed, trial_steps=0)
    rates["consensus, no trials"] = alone.suggestion
    taken["consensus, no trials"] = steps
    for rule, (start, end) in OTHERS.items():
        raw, _ = tested(
            problem, optimizer, seed, start=start, end=end, stop=np.inf, trial_steps=0
        )
        try:
            rates |= {k: float(lr) for k, lr in rule(raw.lrs, raw.losses).items()}
        except (IndexError, ValueError):  # the curve has too few points
            continue
    given = problem.params(np.random.default_rng(0))
    kind = "SGD" if optimizer == "momentum" else optimizer
    rates["the default rate"] = getattr(lrcore, kind)(given).lr
    return rates, taken, found


def measure(job):
    """Return a case: q by rule, steps of our tests, our confidence, its name."""
    (name, optimizer, _), seed, times = job
    problem = by_name(name)
    steps = times * problem.steps
    with np.errstate(all="ignore"):
        first, lasts = None, []
        for lr in rates_of(problem, optimizer, RATES):
            first, last = train(problem, optimizer, seed, lr, steps)
            lasts.append(last if np.isfinite(last) else np.inf)
        rates, taken, found = suggested(problem, optimizer, seed)
        q = {}
        for rule, lr in rates.items():
            if np.isfinite(lr):
                last = train(problem, optimizer, seed, lr, steps)[1]
                gain = (first - last) / (first - min(lasts))
                q[rule] = gain if np.isfinite(last) else -np.inf
    return q, taken, found.confidence, (name, optimizer, seed, found)


def table(results):
    """Print a line for each rule."""
    rules = list(max((q for q, *_ in results), key=len))
    print(f"{'':<22}{'reached':>9}{'near':>9}{'median':>9}{'failed':>8}{'none':>6}"
          f"{'steps':>8}")  # fmt: skip
    for rule in rules:
        q = np.array([q.get(rule, np.nan) for q, *_ in results])
        told = [np.mean(q >= 0.95), np.mean(q >= 0.8), np.nanmedian(q)]
        steps = [taken[rule] for _, taken, *_ in results if rule in taken]
        print(
            f"{rule:<22}" + "".join(f"{figure:>9.3f}" for figure in told)
            + f"{np.sum(q < 0):>8}{np.sum(np.isnan(q)):>6}"
            + (f"{np.mean(steps):>8.0f}" if steps else "")
        )  # fmt: skip
    sure = np.array([confidence for _, _, confidence, _ in results])
    hit = np.array([q.get("consensus", np.nan) >= 0.95 for q, *_ in results])
    for low, high in ((0, 0.5), (0.5, 0.7), (0.7, 1.01)):
        these = (low <= sure) & (sure < high)
        if these.any():
            print(f"confidence {low:.1f} to {min(high, 1):.1f}: "
                  f"{hit[these].mean():.3f} of {these.sum()} reached")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--half", choices=SPLITS, default=SPLITS[0], help="default: %(default)s"
    )
    parser.add_argument("--times", type=int, default=1, help="train N times as long")
    parser.add_argument(
        "--misses", action="store_true", help="list the cases with q < 0.95"
    )
    arguments = parser.parse_args()
    # NumPy reads this at import: in the worker processes.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    start = time.perf_counter()
    jobs = [
        (pair, seed, arguments.times)
        for pair in pairs()
        if pair[2] == arguments.half and not by_name(pair[0]).schedule
        for seed in SEEDS
    ]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(measure, jobs))
    seconds = time.perf_counter() - start
    problems = len({pair[0] for pair, *_ in jobs})
    print(f"{arguments.half}: {problems} problems, {len(jobs)} cases, {seconds:.0f} s")
    table(results)
    for q, _, _, (name, optimizer, seed, found) in results if arguments.misses else ():
        value = q.get("consensus", np.nan)
        if not value >= 0.95:
            print(f"{name} {optimizer} {seed}: q {value:.2f} at "
                  f"{found.suggestion:.2g}; {found.reason}")  # fmt: skip


if __name__ == "__main__":
    main()
