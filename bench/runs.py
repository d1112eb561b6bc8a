"""Training runs, each labelled by how good its learning rate was.

    python bench/runs.py [--fresh]

Every problem is trained by three optimizers, from two seeds, at 17 rates, half a decade
apart; the runs are kept in build/runs.npz.  A rate is constant, unless the problem has
a schedule, which it multiplies; SGD's are divided by the scale of the problem's loss.
The label depends only on the losses before and after the run, `first` and `last`, on
all data: so losses may be below 0.  The best rate of a problem and optimizer is the one
with the greatest median of first - last over the seeds.  Then

    q = (first - last) / (first - best_last)

where best_last is `last` of the same seed at the best rate; q = -inf if last is not
finite.

    good           q >= 0.9
    fairly low     0.5 <= q < 0.9, at a rate below the best; "fairly high" above it
    too low        q < 0.5, at a rate below the best; "too high" above it

The problems of each kind are put alternately into two halves, "tuning" and "held-out".
"""

import argparse
import hashlib
import multiprocessing
import os
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from problems import GROUPS, PROBLEMS, by_name

import lrcore

RATES = [float(f"{10 ** (k / 2):.3g}") for k in range(-12, 5)]
SEEDS = (0, 1)
SPLITS = ("tuning", "held-out")
OPTIMIZERS = {
    "SGD": lrcore.SGD,
    "momentum": partial(lrcore.SGD, momentum=0.9),
    "Lion": lrcore.Lion,
    "Adagrad": lrcore.Adagrad,
    "AdamW": lrcore.AdamW,
    "RMSprop": lrcore.RMSprop,
}
VALIDATED = 10
"""Number of steps from one validation to the next."""
REPORTED = (
    "grad_norm", "update_norm", "param_norm", "update_ratio", "nonfinite", "applied"
)  # fmt: skip
FIELDS = ("loss", "lr", "validation", *REPORTED)
LETTERS = {
    "too low": "l", "fairly low": "-", "good": "g", "fairly high": "+", "too high": "h"
}  # fmt: skip
CACHE = Path(__file__).parents[1] / "build" / "runs.npz"


class Run(NamedTuple):
    """One training run.

    records : by name, a number for each step: the batch's loss before the step, lr, and
        the fields REPORTED of `opt.report` after it.
    lr : the rate, or that by which the problem's schedule is multiplied.
    first, last : the full losses before and after the run.
    group : of the problem.
    """

    problem: str
    optimizer: str
    seed: int
    lr: float
    records: dict[str, np.ndarray]
    first: float
    last: float
    q: float
    label: str
    group: str


def halves():
    """Return the problems of each split."""
    by_split, met = {split: [] for split in SPLITS}, Counter()
    for problem in PROBLEMS:
        by_split[SPLITS[met[problem.kind] % 2]].append(problem)
        met[problem.kind] += 1
    return by_split


def pairs():
    """Return (problem, optimizer, split): for each problem one SGD, two adaptive."""
    plain, adaptive = list(OPTIMIZERS)[:2], list(OPTIMIZERS)[2:] * 2
    return [
        (problem.name, name, split)
        for split, problems in halves().items()
        for i, problem in enumerate(problems)
        for name in (plain[i % 2], *adaptive[i % 4 : i % 4 + 2])
    ]


def rates_of(problem, optimizer, rates):
    """Return the rates at which a problem is trained, instead of these."""
    plain = optimizer in ("SGD", "momentum")
    return [lr / problem.scale for lr in rates] if plain else list(rates)


def train(problem, optimizer, seed, lr):
    """Return the full losses before and after, and the records as rows of FIELDS."""
    params, batches = problem.start(seed)
    opt = OPTIMIZERS[optimizer](params, lr, telemetry=True, **problem.options)
    rows = np.empty((len(FIELDS), problem.steps))
    with np.errstate(all="ignore"):
        first = problem.full_loss(params)
        for step in range(problem.steps):
            opt.lr = problem.rate(lr, step)
            loss, grads = problem.loss_and_grad(params, next(batches))
            opt.step(grads)
            report, validation = opt.report, np.nan
            if problem.validate and (step + 1) % VALIDATED == 0:
                validation = problem.validate(params)
            told = (getattr(report, name) for name in REPORTED)
            rows[:, step] = loss, opt.lr, validation, *told
        return first, problem.full_loss(params), rows


def sweep(pair):
    """Return all runs of a problem and optimizer, by seed and then by rate."""
    return sweep_of(by_name(pair[0]), pair[1])


def sweep_of(problem, optimizer):
    rates = rates_of(problem, optimizer, RATES)
    return [train(problem, optimizer, seed, lr) for seed in SEEDS for lr in rates]


def fingerprint(script):
    """Return what changes with the problems, and how a script trains them."""
    here = Path(__file__)
    sources = {here, Path(script), *(here.parent / "problems").glob("*.py")}
    return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(sources))).hexdigest()


def up_to_date(file, script):
    """Whether a file has the runs that a script would make."""
    if not file.exists():
        return False
    with np.load(file) as kept:
        return str(kept["fingerprint"]) == fingerprint(script)


def in_processes(function, jobs, processes=2):
    """Return what a function makes of each job, in processes with one BLAS thread each.

    Matrix products as small as these are slower on more threads.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy reads this at import: in them
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(function, jobs))


def build(file, script, sweep, jobs):
    """Train all, and keep the runs in a file.

    sweep : of that script: (job) -> the runs of one problem and optimizer.
    """
    trained = [run for runs in in_processes(sweep, jobs) for run in runs]
    first, last, rows = zip(*trained, strict=True)
    file.parent.mkdir(exist_ok=True)
    np.savez(
        file,
        fingerprint=fingerprint(script),
        first=first,
        last=last,
        steps=[r.shape[1] for r in rows],
        rows=np.concatenate(rows, axis=1),
    )


def kept_in(file):
    """Return the losses before and after and the records of each problem and optimizer.

    All are by seed and rate; records are rows of FIELDS.
    """
    with np.load(file) as kept:
        first, last, steps, rows = (kept[k] for k in ("first", "last", "steps", "rows"))
    shape = -1, len(SEEDS), len(RATES)
    records = np.empty(len(steps), object)
    for k, end in enumerate(np.cumsum(steps)):
        records[k] = rows[:, end - steps[k] : end]
    return list(zip(*(a.reshape(shape) for a in (first, last, records)), strict=True))


def judged(first, last):
    """Return q and labels of one problem and optimizer; all arrays are [seed, rate]."""
    gain = np.where(np.isfinite(last), first - last, -np.inf)
    best = int(np.median(gain, axis=0).argmax())
    if not (gain[:, best] > 0).all():
        raise ValueError(
            "last: expected a rate at which each seed ends below first, "
            f"found {last[:, best].tolist()} of first {first[:, best].tolist()} "
            "at the best: change the problem"
        )
    q = gain / gain[:, best, None]
    side = np.where(np.arange(len(RATES)) < best, "low", "high")
    labels = np.where(q >= 0.5, "fairly ", "too ").astype(object) + side
    return q, np.where(q >= 0.9, "good", labels)


def labelled(problem, optimizer, group, first, last, records):
    """Return the runs of one problem and optimizer; see `kept_in` and `judged`."""
    q, labels = judged(first, last)
    rates = rates_of(by_name(problem), optimizer, RATES)
    return [
        Run(problem, optimizer, SEEDS[s], rates[r],
            dict(zip(FIELDS, records[s, r], strict=True)), float(first[s, r]),
            float(last[s, r]), float(q[s, r]), labels[s, r], group)
        for s, r in np.ndindex(q.shape)
    ]  # fmt: skip


def runs(split=None, fresh=False):
    """Return the runs of a split, or all, by problem, optimizer, seed and rate.

    If no runs of these problems are kept, they are trained in other processes: so a
    script that calls this needs `if __name__ == "__main__"`.

    fresh : train them again, also if they are kept.
    """
    if fresh or not up_to_date(CACHE, __file__):
        build(CACHE, __file__, sweep, pairs())
    found = []
    for (problem, optimizer, half), kept in zip(pairs(), kept_in(CACHE), strict=True):
        if split in (None, half):
            group = by_name(problem).group
            found += labelled(problem, optimizer, group, *kept)
    return found


def table(found):
    """Print runs: for each seed a letter for each rate's label; and the best run."""
    by_pair = {}
    for run in found:
        by_pair.setdefault((run.problem, run.optimizer), []).append(run)
    for (problem, optimizer), these in by_pair.items():
        rows = [[r for r in these if r.seed == seed] for seed in SEEDS]
        letters = ("".join(LETTERS[r.label] for r in row) for row in rows)
        best = max(rows[0], key=lambda r: r.q if r.label == "good" else -np.inf)
        ends = f"{best.first:>9.3g} -> {best.last:<9.3g} at {best.lr:g}"
        print(f"{problem:<24} {optimizer:<9}", *letters, ends)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fresh", action="store_true", help="train again")
    start = time.perf_counter()
    found = runs(fresh=parser.parse_args().fresh)
    seconds = time.perf_counter() - start
    halves = {(name, optimizer): half for name, optimizer, half in pairs()}
    by_split = {split: [] for split in SPLITS}
    for run in found:
        by_split[halves[run.problem, run.optimizer]].append(run)
    for split, found in by_split.items():
        print(f"\n{split}, 1e-6 to 1e2:")
        table(found)
    print(f"\n{'':<28}{'problems':>9}{'runs':>7}", *(f"{k:>12}" for k in LETTERS))
    for split, found in by_split.items():
        for group in (*GROUPS, "all"):
            these = [run for run in found if group in (run.group, "all")]
            count = Counter(run.label for run in these)
            names = {run.problem for run in these}
            print(f"{split:<10}{group:<18}{len(names):>9}{len(these):>7}",
                  *(f"{count[k]:>12}" for k in LETTERS))  # fmt: skip
    print(f"{seconds:.0f} s")


if __name__ == "__main__":
    main()
