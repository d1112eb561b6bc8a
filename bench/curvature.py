"""Whether curvature and ratios of arrays tell a bad learning rate, beside the monitor.

    python bench/curvature.py [EVERY]

Of the runs of runs.py, those of each EVERY-th pair of problem and optimizer (1) with
the first seed are trained again, a decade apart, with `curvature`; their labels are
those of runs.py.  Each number is taken of the second half of a run:

edge            median of `report.edge`
edge > 2        the share of steps whose edge is above 2
sharpness lr    median of `report.sharpness` times the rate
largest ratio   median of the largest update ratio of an array
spread          median of the largest over the least of these ratios
ratio           median of the update ratio of all arrays, which the monitor has

"auc" is the chance that the number of a run "too high" (or "too low") is above that of
a run "good" of the same optimizer (1 or 0: it tells them apart; 0.5: it tells nothing),
among those whose number is finite.
Then how many of the bad runs that `Monitor` does not call so it would add: by a
threshold at which at most 0.5 % of the good runs of the "tuning" half are called, on
the "held-out" half.
"""

import sys
import warnings

import numpy as np
import runs as labelled
from monitor import play
from problems import by_name

NUMBERS = (
    "edge", "edge > 2", "sharpness lr", "largest ratio", "spread", "ratio"
)  # fmt: skip
FALSE = 0.005


def measured(problem, optimizer, lr):
    """Return NUMBERS of a run with the first seed."""
    params, batches = problem.start(labelled.SEEDS[0])
    opt = labelled.OPTIMIZERS[optimizer](
        params, lr, telemetry=True, curvature=True, **problem.options
    )
    rows = np.full((problem.steps, 5), np.nan)
    for step in range(problem.steps):
        opt.lr = problem.rate(lr, step)
        opt.step(problem.loss_and_grad(params, next(batches))[1])
        if step < problem.steps // 2:
            continue
        report = opt.report
        own = [each.update_ratio for each in opt.reports("tensor").values()]
        rows[step] = (
            report.edge, report.sharpness * opt.lr, max(own),
            max(own) / max(min(own), 1e-30), report.update_ratio,
        )  # fmt: skip
    late = rows[problem.steps // 2 :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a run that is all NaN
        edge, product, largest, spread, ratio = np.nanmedian(late, axis=0)
    return edge, np.mean(late[:, 0] > 2), product, largest, spread, ratio


def auc(bad, good):
    """Return the chance that a number of `bad` is above one of `good`."""
    bad, good = (each[np.isfinite(each)] for each in (bad, good))
    below = np.searchsorted(np.sort(good), bad, "left")
    upto = np.searchsorted(np.sort(good), bad, "right")
    return float((below + upto).mean() / 2 / len(good))


def beyond(values, side, usual):
    """Return which values are above (below) all but FALSE of the usual ones."""
    usual = usual[np.isfinite(usual)]
    if side == "high":
        return values > np.quantile(usual, 1 - FALSE, method="higher")
    return values < np.quantile(usual, FALSE, method="lower")


def trained(every):
    """Return what is known of each run: columns, and NUMBERS."""
    pairs = {pair[:2] for pair in labelled.pairs()[::every]}
    rows, found = [], []
    for run in labelled.runs():
        problem = by_name(run.problem)
        rates = labelled.rates_of(problem, run.optimizer, labelled.RATES[::2])
        own = (run.problem, run.optimizer) in pairs and run.lr in rates
        if own and run.seed == labelled.SEEDS[0] and run.group != "without a meaning":
            rows.append((run.problem, run.optimizer, run.label, play(run, True).rate()))
            found.append(measured(problem, run.optimizer, run.lr))
    return *(np.array(column) for column in zip(*rows, strict=True)), np.array(found)


def main():
    every = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with np.errstate(all="ignore"):
        problems, optimizers, labels, called, found = trained(every)
    print(f"{'auc':<24}" + "".join(f"{name:>15}" for name in NUMBERS))
    for side in ("high", "low"):
        for name in labelled.OPTIMIZERS:
            own = optimizers == name
            bad, good = own & (labels == f"too {side}"), own & (labels == "good")
            told = "".join(
                f"{auc(found[bad, k], found[good, k]):>15.2f}"
                for k in range(len(NUMBERS))
            )
            print(f"{'too ' + side:<12}{name:<12}{told}")

    tuning, held_out = (
        np.isin(problems, [each.name for each in halves])
        for halves in labelled.halves().values()
    )
    print("\nheld-out runs that the monitor does not call so, and good ones, called by")
    for side in ("high", "low"):
        missed = held_out & (labels == f"too {side}") & (called != f"too {side}")
        good = held_out & (labels == "good")
        for k, name in enumerate(NUMBERS):
            calls = beyond(found[:, k], side, found[tuning & (labels == "good"), k])
            added, wrong = (calls & missed).sum(), (calls & good).sum()
            print(
                f"too {side:<6}{name:<15}{added:>5} of {missed.sum():<5}"
                f"{wrong:>4} of {good.sum()} good"
            )


if __name__ == "__main__":
    main()
