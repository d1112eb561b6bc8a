"""Whether the monitor's advice helps: runs beside runs that follow it.

    python bench/remedies.py

Each run of runs.py whose monitor finds something at the end, and advises another rate,
is compared with the run of the same problem, optimizer and seed at the rate that is the
factor of the finding times its own: the nearest of the rates, which are half a decade
apart.  The advice has helped if that run ends lower on all data; it has done harm if it
ends higher by more than 5 % of its descent.  Where the advised rate is out of the
rates, the nearest is taken.

The rows of findings without a factor say what a rate 3 times lower would do.
"""

from collections import defaultdict
from math import inf, isfinite, log10

import numpy as np
from monitor import MEANT, play
from runs import RATES, SPLITS, runs

HARM = 0.05
LOWER = 1 / 3
OTHERS = (
    "oscillating", "update ratio", "gradient exploding", "gradient vanishing", "plateau"
)  # fmt: skip
"""Findings without a factor whose remedy is, among others, another rate."""


def ends(run):
    return run.last if isfinite(run.last) else inf


def outcomes(split):
    """Return for each finding and factor whether the advice helped, or did harm."""
    found = defaultdict(list)
    by_pair = defaultdict(list)
    for run in runs(split):
        if run.group in MEANT:
            by_pair[run.problem, run.optimizer, run.seed].append(run)
    with np.errstate(all="ignore"):
        for these in by_pair.values():
            for k, run in enumerate(these):
                for finding in play(run, True).diagnose():
                    factor = finding.factor
                    if factor is None and finding.kind in OTHERS:
                        factor = LOWER
                    if factor is None:
                        continue
                    to = min(max(k + round(2 * log10(factor)), 0), len(RATES) - 1)
                    if to == k:
                        continue
                    other = these[to]
                    descent = max(run.first - min(ends(other), ends(run)), 0)
                    found[finding.kind, factor].append(
                        (ends(other) < ends(run),
                         ends(other) > ends(run) + HARM * descent)
                    )  # fmt: skip
    return found


def main():
    print(f"{'finding':<20}{'rate times':>11}", end="")
    print("".join(f"{split:^27}" for split in SPLITS))
    print(f"{'':<31}" + 2 * f"{'runs':>9}{'helped':>9}{'harmed':>9}")
    of = {split: outcomes(split) for split in SPLITS}
    for kind, factor in sorted({key for found in of.values() for key in found}):
        print(f"{kind:<20}{factor:>11.3g}", end="")
        for split in SPLITS:
            told = np.array(of[split].get((kind, factor), [])).reshape(-1, 2)
            helped, harmed = told.mean(axis=0) if len(told) else (np.nan, np.nan)
            print(f"{len(told):>9}{helped:>9.3f}{harmed:>9.3f}", end="")
        print()


if __name__ == "__main__":
    main()
