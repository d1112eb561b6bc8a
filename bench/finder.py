"""How near finders of learning rates come to the best one.

    python bench/finder.py [--half held-out] [--entrant module:function ...]
        [--only NAME ...] [--cosine] [--times N] [--seeds N ...] [--order N]
        [--misses ROW] [--jobs N]

The cases are the problems and optimizers of runs.py, from two seeds, but for problems
with a schedule of their own.  A finder begins with the params of the training, and sees
batches in another order: --order draws others.  Then its rate is used for a training,
which gets the score

    q = (first - last) / (first - least)

where first and last are the full losses before and after it, and least is the lowest
last loss of trainings of the same seed at 13 rates from 1e-5 to 10, half a decade
apart (of SGD, divided by the scale of the problem's loss).

reached    share of the cases with q >= 0.95, of all and by group
near       share of the cases with q >= 0.8
failed     cases whose last loss is not finite, or higher than the first
none       cases without a suggestion
evals      median number of evaluations of loss_and_grad, the training's not included

The constants of lrcore/finder were chosen on the tuning half.  --cosine lets the rate
of trainings fall to 0 by a half cosine, which finders are told.  --times makes the
trainings N times as long; the trials stay as they are, and tell less about them.

--entrant adds the rows of a function that finders.py says how to write.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from finders import ENTRANTS, RATES, found
from problems import GROUPS, by_name
from runs import OPTIMIZERS, SEEDS, SPLITS, pairs, rates_of

from lrcore.schedules import Cosine

OURS = "lr_find"
ORDER = 2
"""Of the batches that a finder sees; that of the training's is 1."""


@dataclass
class Case:
    """What an entrant is given; see finders.py."""

    problem: Any
    optimizer: str
    seed: int
    steps: int
    schedule: Callable[[int], float] | None = None
    order: int = ORDER
    evaluations: int = 0

    def begin(self, lr=1e-3):
        params = self.problem.params(np.random.default_rng([self.seed, 0]))
        return params, OPTIMIZERS[self.optimizer](params, lr, **self.problem.options)

    def batches(self):
        return self.problem.batches(np.random.default_rng([self.seed, self.order]))

    def loss_and_grad(self, params, batch):
        self.evaluations += 1
        return self.problem.loss_and_grad(params, batch)

    @property
    def score(self):
        if self.problem.loss == "loss":
            return None
        return lambda params: -self.problem.full_loss(params)

    def train(self, choice):
        """Return the full losses before and after a training.

        choice : a rate, or a function (params, steps) -> optimizer.
        """
        params, opt = self.begin(1e-3 if callable(choice) else choice)
        if callable(choice):
            opt = choice(params, self.steps)
            for name, value in self.problem.options.items():
                setattr(opt, name, value)
        peak = opt.lr
        batches = self.problem.batches(np.random.default_rng([self.seed, 1]))
        first = self.problem.full_loss(params)
        for step in range(self.steps):
            if self.schedule is not None:
                opt.lr = peak * self.schedule(step)
            loss, grads = self.problem.loss_and_grad(params, next(batches))
            opt.step(grads, loss)
        return first, self.problem.full_loss(params)


def tested(problem, optimizer, seed, **more):
    """Return our range test before a training, and how many evaluations it took."""
    case = Case(problem, optimizer, seed, problem.steps)
    return found(case, **more), case.evaluations


def loaded(name):
    """Return the function of "module:function"."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


def measure(job):
    """Return the name of a case, q of each row, its evaluations, and confidences."""
    (name, optimizer, _), seed, order, times, cosine, only, entrants = job
    problem = by_name(name)
    steps = times * problem.steps
    schedule = Cosine(1.0, total=steps) if cosine else None
    case = Case(problem, optimizer, seed, steps, schedule, order)
    q, taken, rates, sure = {}, {}, {}, {}
    with np.errstate(all="ignore"):
        ends = [case.train(lr) for lr in rates_of(problem, optimizer, RATES)]
        first = ends[0][0]
        least = min(last for _, last in ends if np.isfinite(last))
        own = [entrant for entrant in ENTRANTS if not only or entrant.__name__ in only]
        for entrant in (*own, *map(loaded, entrants)):
            case.evaluations = 0
            rows = entrant(case)
            for row, choice in rows.items():
                if isinstance(choice, tuple):
                    choice, sure[row] = choice
                taken[row], rates[row] = case.evaluations, choice
        for row, choice in rates.items():
            if callable(choice) or np.isfinite(choice):
                last = case.train(choice if callable(choice) else float(choice))[1]
                gain = (first - last) / (first - least)
                q[row] = gain if np.isfinite(last) else -np.inf
            else:
                q[row] = np.nan
    told = {row: lr for row, lr in rates.items() if not callable(lr)}
    return (name, optimizer, seed, problem.group), q, taken, sure, told


def table(results):
    """Print a line for each row."""
    groups = np.array([case[3] for case, *_ in results])
    shown = [group for group in GROUPS if (groups == group).any()]
    heads = ["reached", "near", "failed", "none", "evals", *shown]
    widths = [max(8, len(head) + 2) for head in heads]
    counts = ["", "", "", "", "", *(f"of {(groups == g).sum()}" for g in shown)]
    for words in (heads, counts):
        line = "".join(f"{w:>{n}}" for w, n in zip(words, widths, strict=True))
        print(" " * 24 + line)
    for row in results[0][1]:
        q = np.array([q[row] for _, q, *_ in results])
        evals = np.median([taken[row] for _, _, taken, *_ in results])
        told = [
            f"{np.mean(q >= 0.95):.3f}", f"{np.mean(q >= 0.8):.3f}",
            f"{np.sum(q < 0)}", f"{np.isnan(q).sum()}", f"{evals:.0f}",
            *(f"{np.mean(q[groups == group] >= 0.95):.3f}" for group in shown),
        ]  # fmt: skip
        line = "".join(f"{w:>{n}}" for w, n in zip(told, widths, strict=True))
        print(f"{row:<24}{line}")


def confidences(results):
    """Print how often the suggestions of each confidence reached."""
    for row in [row for row in results[0][1] if row in results[0][3]]:
        sure = np.array([sure[row] for _, _, _, sure, _ in results])
        hit = np.array([q[row] >= 0.95 for _, q, *_ in results])
        for low, high in ((0, 0.5), (0.5, 0.7), (0.7, 1.01)):
            these = (low <= sure) & (sure < high)
            if these.any():
                print(f"{row}, confidence {low:.1f} to {min(high, 1):.1f}: "
                      f"{hit[these].mean():.3f} of {these.sum()} reached")  # fmt: skip


def run(jobs, processes):
    """Return the results of all jobs, and say on stderr how many are done."""
    results, start = [], time.perf_counter()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for result in pool.map(measure, jobs):
            results.append(result)
            if len(results) % max(1, len(jobs) // 10) == 0:
                seconds = time.perf_counter() - start
                print(f"{len(results)} of {len(jobs)} cases, {seconds:.0f} s",
                      file=sys.stderr)  # fmt: skip
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--half", choices=SPLITS, default=SPLITS[0], help="default: %(default)s")
    add("--entrant", action="append", default=[], metavar="MODULE:FUNCTION",
        help="a finder to add to the table; finders.py says what it is")  # fmt: skip
    add("--only", nargs="+", choices=[entrant.__name__ for entrant in ENTRANTS],
        metavar="NAME", help="of the entrants in finders.py only these")  # fmt: skip
    add("--cosine", action="store_true", help="train with a cosine to 0")
    add("--times", type=int, default=1, help="train N times as long")
    add("--seeds", nargs="+", type=int, default=SEEDS, metavar="N",
        help="of the first params and the batches; default: 0 1")  # fmt: skip
    add("--order", type=int, default=ORDER, metavar="N",
        help="of the batches that finders see; default: %(default)s")  # fmt: skip
    add("--misses", nargs="?", const=OURS, metavar="ROW",
        help="list the cases with q < 0.95 of a row, by default of ours")  # fmt: skip
    add("--jobs", type=int, default=2, help="processes; default: %(default)s")
    arguments = parser.parse_args()
    sys.path.insert(0, os.getcwd())  # for entrants; worker processes have it, too
    for name in arguments.entrant:
        loaded(name)  # for its error
    # NumPy reads this at import: in the worker processes.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    start = time.perf_counter()
    jobs = [
        (
            pair,
            seed,
            arguments.order,
            arguments.times,
            arguments.cosine,
            arguments.only,
            arguments.entrant,
        )
        for pair in pairs()
        if pair[2] == arguments.half and not by_name(pair[0]).schedule
        for seed in arguments.seeds
    ]
    results = run(jobs, arguments.jobs)
    seconds = time.perf_counter() - start
    problems = len({job[0][0] for job in jobs})
    print(f"{arguments.half}: {problems} problems, {len(jobs)} cases, {seconds:.0f} s")
    table(results)
    confidences(results)
    for (name, optimizer, seed, group), q, _, _, rates in results:
        row = arguments.misses
        if row and not q[row] >= 0.95:
            print(f"{name} {optimizer} {seed} ({group}): q {q[row]:.2f} at "
                  f"{rates[row]:.2g}")  # fmt: skip


if __name__ == "__main__":
    main()
