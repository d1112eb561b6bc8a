"""How often the monitor is right about a learning rate, on labelled runs.

    python bench/monitor.py

Every run of runs.py is replayed to a monitor, once with the optimizer's reports and
once with losses and rates only.  "At the end" counts the findings of `Monitor.diagnose`
after the last step; "on the way" those of `Monitor.findings`, which a user sees during
a run.  Where a problem has a schedule, the monitor is told it, and how long the run is.

precision    of the runs that are called too high (too low), the share whose label
             is too high or fairly high (too low or fairly low)
recall       of the runs whose label is too high (too low), the share that is called so
good         of the runs whose label is good, the share that is called either
"""

from collections import Counter
from math import isnan
from typing import NamedTuple

import numpy as np
from problems import GROUPS, by_name
from runs import LETTERS, SPLITS, runs

import lrcore
from lrcore import Report

REPORTED = (
    "lr", "grad_norm", "update_norm", "param_norm", "update_ratio", "nonfinite",
    "applied",
)  # fmt: skip

MEANT = [group for group in GROUPS if group != "without a meaning"]
"""The groups in which the loss tells how good the params are."""


def play(run, reports):
    """Return the monitor of a run after its last step."""
    problem, known = by_name(run.problem), {}
    if problem.schedule:
        known["schedule"] = lambda t: problem.schedule(t / problem.steps)
        known["total"] = problem.steps
    kind = None if problem.loss == "loss" else problem.loss
    monitor = lrcore.Monitor(kind=kind, **known)
    records = (run.records[name].tolist() for name in ("loss", "validation", *REPORTED))
    for t, (loss, other, lr, *told) in enumerate(zip(*records, strict=True), 1):
        validation = None if isnan(other) else other
        if not reports:
            monitor.update(loss, validation, lr=lr)
            continue
        g, u, p, ratio, bad, applied = told
        report = Report(t, lr, g, 1.0, u, p, ratio, int(bad), bool(applied))
        monitor.update(loss, validation, report=report)
    return monitor


def score(labels, called):
    """Return a line of figures; called: a set of "too high", "too low" for each run."""
    figures, calls_of_both, right_of_both, bad_called, bad = [], 0, 0, 0, 0
    for side in ("high", "low"):
        calls = np.array([f"too {side}" in rates for rates in called])
        right = np.isin(labels, [f"too {side}", f"fairly {side}"])
        figures += [right[calls].mean(), calls[labels == f"too {side}"].mean()]
        calls_of_both += calls.sum()
        right_of_both += right[calls].sum()
        bad_called += calls[labels == f"too {side}"].sum()
        bad += (labels == f"too {side}").sum()
    figures += [right_of_both / calls_of_both, bad_called / bad]
    good = np.array([bool(rates) for rates in called])[labels == "good"]
    text = "".join(f"{figure:>7.3f}" for figure in figures)
    return f"{text}{good.mean():>8.3f} ({good.sum()} of {len(good)})"


class Told(NamedTuple):
    """What the monitor said of a run: kinds and verdicts at the end and on the way."""

    group: str
    label: str
    kinds: set[str]
    end: set[str]
    way: set[str]


def told(split, reports):
    """Return what is Told of each run of a split."""
    found = []
    with np.errstate(all="ignore"):
        for run in runs(split):
            monitor = play(run, reports)
            end = monitor.diagnose()
            found.append(
                Told(run.group, run.label, {f.kind for f in end},
                     {f.rate for f in end if f.rate},
                     {f.rate for f in monitor.findings if f.rate})
            )  # fmt: skip
    return found


def show(split, reports, found):
    """Print the figures of each group of a split."""
    heading = f"{split}, {'with reports' if reports else 'losses alone'}"
    print(f"{heading:<28}{'too high':^14}{'too low':^14}{'both':^14}{'good runs':>9}")
    print(f"{'':<28}" + 3 * f"{'prec.':>7}{'recall':>7}" + f"{'called':>8}")
    for group in MEANT:
        these = [t for t in found if t.group == group]
        labels = np.array([t.label for t in these])
        for moment, name in (("end", "at the end"), ("way", "on the way")):
            line = score(labels, [getattr(t, moment) for t in these])
            print(f"{group:<17}{name:<11}{line}")
    other = [t for t in found if t.group not in MEANT]
    called = sum(bool(t.end - {"non-finite loss"}) for t in other)
    print(
        f"without a meaning: {called} of {len(other)} runs are called bad at the end\n"
    )


def show_kinds(split, found):
    """Print how often each kind was found at the end, by the run's label."""
    count = Counter(t.label for t in found)
    kinds = Counter((kind, t.label) for t in found for kind in t.kinds)
    print(f"Found at the end, {split} with reports:\n{'':<20}", end="")
    print("".join(f"{label:>13}" for label in LETTERS))
    totals = Counter(kind for t in found for kind in t.kinds)
    for kind, _ in totals.most_common():
        print(f"{kind:<20}" + "".join(f"{kinds[kind, name]:>13}" for name in LETTERS))
    print(f"{'runs':<20}" + "".join(f"{count[name]:>13}" for name in LETTERS))


def main():
    for reports in (True, False):
        for split in SPLITS:
            found = told(split, reports)
            show(split, reports, found)
            if reports and split == SPLITS[-1]:
                last = found
    show_kinds(SPLITS[-1], [t for t in last if t.group in MEANT])


if __name__ == "__main__":
    main()
