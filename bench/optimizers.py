"""How near each optimizer comes to AdamW, both at their best learning rates.

    python bench/optimizers.py [--problems SET] [--cosine] [--times N] [--seeds N]
                               [--only NAME ...]

A case is a problem of a set (SETS) and a seed.  In each case every optimizer
trains at 13 rates from 1e-5 to 10, half a decade apart, with its defaults for all else,
except what its row names.  `least` is the lowest last loss of AdamW.  With `first` and
`last`, the full losses before and after a training,

    ratio = last / least,   q = (first - last) / (first - least)

median     median ratio over the cases, at the rate that is best for each case
<= 1.1     share of the cases with a ratio of at most 1.1, at that rate
reached    share of the cases with q >= 0.95, at that rate
one rate   the same at the one rate for all cases that reaches the most, and that rate
rates      mean number of the 13 rates with q >= 0.95: how exactly a rate must be chosen
default    share of the cases reached at the optimizer's default rate

A second table has "reached" by the kind of problem.  --cosine lets each rate fall to 0
by a half cosine, AdamW's too.
"""

import argparse
import time
from functools import partial

import numpy as np
from finder import RATES
from problems import PROBLEMS, STANDARD, by_name
from runs import in_processes

import lrcore
from lrcore.schedules import Cosine

OPTIMIZERS = {
    "AdamW": lrcore.AdamW,
    "SGD": lrcore.SGD,
    "SGD, momentum 0.9": partial(lrcore.SGD, momentum=0.9),
    "SGD, Nesterov 0.9": partial(lrcore.SGD, momentum=0.9, nesterov=True),
    "AdamW, clip 1": partial(lrcore.AdamW, clip_norm=1.0),
    "Adagrad": lrcore.Adagrad,
    "FTRL": lrcore.FTRL,
    "RMSprop": lrcore.RMSprop,
    "NAdamW": lrcore.NAdamW,
    "RAdamW": lrcore.RAdamW,
    "AdaBelief": lrcore.AdaBelief,
    "ADOPT": lrcore.ADOPT,
    "LaProp": lrcore.LaProp,
    "Adan": lrcore.Adan,
    "AdEMAMix": lrcore.AdEMAMix,
    "Lion": lrcore.Lion,
    "Signum, 0.9": partial(lrcore.Signum, momentum=0.9),
    "MADGRAD": lrcore.MADGRAD,
    "LAMB": lrcore.LAMB,
    "LARS": lrcore.LARS,
    "Adafactor": lrcore.Adafactor,
    "SM3": lrcore.SM3,
    "Muon": lrcore.Muon,
}

LARGE = 256  # rows of a batch


def has_large_batches(problem):
    batch = next(problem.batches(np.random.default_rng(0)))
    return isinstance(batch, tuple) and len(batch[-1]) >= LARGE


SETS = {
    "standard": STANDARD,
    # Features of which a batch has few; words of which it has few.
    "sparse": [p for p in PROBLEMS if p.kind in ("clicks", "word2vec", "embedding")],
    # Noise of Student's t with 2 degrees; batches whose loss is 100 times as high.
    "jumping": [p for p in PROBLEMS if p.group == "heavy-tailed" or p.kind == "spikes"],
    "large batches": [
        p for p in PROBLEMS if p.group == "ordinary" and has_large_batches(p)
    ],
}


def train(problem, seed, make, lr):
    """Return the full losses before and after a training; inf if not finite."""
    params, batches = problem.start(seed)
    opt = make(params, lr=lr, **problem.options)
    first = problem.full_loss(params)
    for _ in range(problem.steps):
        opt.step(problem.loss_and_grad(params, next(batches))[1])
    last = problem.full_loss(params)
    return first, last if np.isfinite(last) else np.inf


def default_rate(make):
    """Return the learning rate that an optimizer has if none is given."""
    return make(np.zeros((2, 2))).lr


def measure(job):
    """Return a case's first loss, and the last ones: a row for each optimizer.

    A row has the losses at RATES, then that at the default rate.
    """
    name, seed, times, cosine, chosen = job
    problem = by_name(name)
    problem = problem._replace(steps=times * problem.steps)
    rows = []
    with np.errstate(all="ignore"):
        for make in map(OPTIMIZERS.get, chosen):
            rates = [*RATES, default_rate(make)]
            if cosine:
                rates = [Cosine(lr, total=problem.steps) for lr in rates]
            told = [train(problem, seed, make, lr) for lr in rates]
            rows.append([last for _, last in told])
    return told[0][0], rows


def compare(first, lasts):
    """Return the columns of an optimizer's row as text, and what it reached by case."""
    least = lasts["AdamW"][:, :-1].min(axis=1)
    for name, last in lasts.items():
        q = (first[:, None] - last) / (first - least)[:, None]
        reached = q >= 0.95
        ratio = last[:, :-1].min(axis=1) / least
        by_rate = reached[:, :-1].mean(axis=0)
        best = by_rate.argmax()
        yield name, [
            f"{np.median(ratio):.2f}",
            f"{np.mean(ratio <= 1.1):.2f}",
            f"{reached[:, :-1].any(axis=1).mean():.2f}",
            f"{by_rate[best]:.2f} ({RATES[best]:g})",
            f"{reached[:, :-1].sum(axis=1).mean():.1f}",
            f"{reached[:, -1].mean():.2f}",
        ], reached[:, :-1].any(axis=1)  # fmt: skip


def line(cells):
    print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", choices=SETS, default="standard", help="the set")
    parser.add_argument("--cosine", action="store_true", help="rates that fall to 0")
    parser.add_argument("--times", type=int, default=1, help="train N times as long")
    parser.add_argument("--seeds", type=int, default=2, help="seeds of each problem")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument(
        "--only", nargs="+", default=[], choices=OPTIMIZERS, help="and AdamW"
    )
    arguments = parser.parse_args()
    start = time.perf_counter()
    chosen = [k for k in OPTIMIZERS if not arguments.only or k in arguments.only]
    chosen = list(dict.fromkeys(["AdamW", *chosen]))
    chosen_set = SETS[arguments.problems]
    cases = [(problem, k) for problem in chosen_set for k in range(arguments.seeds)]
    jobs = [
        (problem.name, seed, arguments.times, arguments.cosine, chosen)
        for problem, seed in cases
    ]
    firsts, rows = zip(*in_processes(measure, jobs, arguments.jobs), strict=True)
    print(f"{len(cases)} cases, {time.perf_counter() - start:.0f} s\n")

    lasts = dict(zip(chosen, np.array(rows).swapaxes(0, 1), strict=True))
    found = list(compare(np.array(firsts), lasts))
    line(["", "median", "<= 1.1", "reached", "one rate", "rates", "default"])
    line(["---"] + ["---:"] * 6)
    for name, cells, _ in found:
        line([name, *cells])
    kinds = sorted({problem.kind for problem, _ in cases})
    print()
    line(["reached", *kinds])
    line(["---"] + ["---:"] * len(kinds))
    for name, _, reached in found:
        shares = [
            np.mean([hit for hit, (p, _) in zip(reached, cases, strict=True)
                     if p.kind == kind])
            for kind in kinds
        ]  # fmt: skip
        line([name, *(f"{share:.2f}" for share in shares)])


if __name__ == "__main__":
    main()
