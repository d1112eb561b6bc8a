"""Whether the monitor's advice helps: runs beside runs that follow it.

    python bench/remedies.py

The runs of runs.py in whose findings at the end an advice stands, beside what they
would have been with it, by the loss on all data.

other rate      a finding with a factor: the run of the same problem, optimizer and seed
                whose rate is the factor times as high; rates are half a decade apart,
                so 3 is 3.16, and what is out of them is the nearest.  Where losses are
                not finite, the factor is applied until they are.
later           the rate falls to a tenth for half as many steps again; beside as many
                steps at the same rate
stop            the validation loss at the step that is told; beside that at the end
skip            NaN gradients are skipped; beside a run that takes them

"Helped" is the share of the runs that ended lower with the advice, "harmed" of those
that ended higher by more than 5 % of their descent.  Trainings that are made anew are
at most MADE for each finding and half, evenly chosen.
"""

from collections import defaultdict
from math import inf, isfinite, log10

import numpy as np
from monitor import MEANT, play
from problems import by_name
from runs import OPTIMIZERS, SPLITS, runs

HARM = 0.05
MADE = 40


def end(loss):
    return loss if isfinite(loss) else inf


def at_other_rate(these, k, finding):
    """Return the end of the run that follows the advice; None: the rate is the same.

    these : the runs of the same problem, optimizer and seed, by rate; k : which one.
    """
    move = round(2 * log10(finding.factor))
    to = min(max(k + move, 0), len(these) - 1)
    while finding.kind == "non-finite loss" and not isfinite(these[to].last) and to:
        to = max(to + move, 0)
    return None if to == k else end(these[to].last)


def trained(run, *, lower=1.0, more=0.0, **options):
    """Return the full loss of a run that is made anew.

    After its steps, it takes `more` times as many at `lower` times its rate.
    """
    problem = by_name(run.problem)
    params, batches = problem.start(run.seed)
    opt = OPTIMIZERS[run.optimizer](params, run.lr, **{**problem.options, **options})
    for step in range(round((1 + more) * problem.steps)):
        opt.lr = problem.rate(run.lr, min(step, problem.steps))
        if step >= problem.steps:
            opt.lr *= lower
        opt.step(problem.loss_and_grad(params, next(batches))[1])
    return end(problem.full_loss(params))


def later(run, _):
    return trained(run, more=0.5), trained(run, more=0.5, lower=0.1)


def stop(run, finding):
    validation = run.records["validation"]
    given = validation[np.isfinite(validation)]
    return given[-1], validation[finding.since - 1]


def skip(run, _):
    return trained(run, skip_nonfinite=False), end(run.last)


MADE_ANEW = {
    "plateau": ("later", later), "oscillating": ("later", later),
    "overfitting": ("stop", stop), "non-finite steps": ("skip", skip),
}  # fmt: skip


def outcomes(split):
    """Return (end without, end with, first) of each finding and advice."""
    found, anew, by_case = defaultdict(list), defaultdict(list), defaultdict(list)
    for run in runs(split):
        if run.group in MEANT:
            by_case[run.problem, run.optimizer, run.seed].append(run)
    for these in by_case.values():
        for k, run in enumerate(these):
            for finding in play(run, True).diagnose():
                if finding.kind in MADE_ANEW:
                    anew[finding.kind].append((run, finding))
                if finding.factor:
                    other = at_other_rate(these, k, finding)
                    advice = finding.kind, f"rate x {finding.factor:.3g}"
                    if other is not None:
                        found[advice].append((end(run.last), other, run.first))
    for kind, told in anew.items():
        advice, follow = MADE_ANEW[kind]
        for j in np.linspace(0, len(told) - 1, min(MADE, len(told))).astype(int):
            run, finding = told[j]
            found[kind, advice].append((*follow(run, finding), run.first))
    return found


def shares(told):
    """Return how many runs there are, and the shares helped and harmed."""
    if not told:
        return 0, np.nan, np.nan
    without, advised, first = np.array(told).T
    descent = np.maximum(first - np.minimum(without, advised), 0)
    harmed = advised > without + HARM * descent
    return len(told), (advised < without).mean(), harmed.mean()


def main():
    print(f"{'finding':<20}{'advice':<16}", end="")
    print("".join(f"{split:^27}" for split in SPLITS))
    print(f"{'':<36}" + 2 * f"{'runs':>9}{'helped':>9}{'harmed':>9}")
    with np.errstate(all="ignore"):
        of = {split: outcomes(split) for split in SPLITS}
    for kind, advice in sorted({key for found in of.values() for key in found}):
        print(f"{kind:<20}{advice:<16}", end="")
        for split in SPLITS:
            count, helped, harmed = shares(of[split].get((kind, advice)))
            print(f"{count:>9}{helped:>9.3f}{harmed:>9.3f}", end="")
        print()


if __name__ == "__main__":
    main()
