"""How often the monitor is right about a learning rate, on labelled runs.

    python bench/monitor.py

Every run of runs.py is replayed to a monitor, once with the optimizer's reports and
once with losses and rates only.  "At the end" counts the findings of `Monitor.diagnose`
after the last step; "on the way" those of `Monitor.findings`, which a user sees during
a run.

precision    of the runs that are called too high (too low), the share whose label
             is too high or fairly high (too low or fairly low)
recall       of the runs whose label is too high (too low), the share that is called so
good         of the runs whose label is good, the share that is called either
"""

from collections import Counter, defaultdict
from math import isnan

import numpy as np
from runs import LETTERS, SPLITS, runs

import lrcore
from lrcore import Report

REPORTED = (
    "lr", "grad_norm", "update_norm", "param_norm", "update_ratio", "nonfinite",
    "applied",
)  # fmt: skip


def play(run, reports):
    """Return the monitor of a run after its last step."""
    monitor = lrcore.Monitor()
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
    figures = []
    for side in ("high", "low"):
        calls = np.array([f"too {side}" in rates for rates in called])
        right = np.isin(labels, [f"too {side}", f"fairly {side}"])
        figures += [right[calls].mean(), calls[labels == f"too {side}"].mean()]
    bad = np.array([bool(rates) for rates in called])[labels == "good"]
    text = " ".join(f"{figure:>9.3f}" for figure in figures)
    return f"{text} {bad.mean():>7.3f} ({bad.sum()} of {len(bad)})"


def measure(split, reports):
    """Print a split's figures; return the kinds of findings at the end, by label."""
    end, way, labels, kinds = [], [], [], defaultdict(Counter)
    with np.errstate(all="ignore"):
        for run in runs(split):
            monitor = play(run, reports)
            labels.append(run.label)
            found = monitor.diagnose()
            end.append({f.rate for f in found if f.rate})
            way.append({f.rate for f in monitor.findings if f.rate})
            for kind in {f.kind for f in found}:
                kinds[kind][run.label] += 1
    labels = np.array(labels)
    told = "with reports" if reports else "losses alone"
    for name, called in (("at the end", end), ("on the way", way)):
        print(f"{split:<9} {told:<13} {name:<11}{score(labels, called)}")
    return kinds, Counter(labels.tolist())


def main():
    print(f"{'':<35}{'too high':^20} {'too low':^19} {'good runs':>9}")
    print(
        f"{'':<35}{'precision':>9} {'recall':>9} {'precision':>10} {'recall':>9} called"
    )
    for reports in (True, False):
        for split in SPLITS:
            kinds, count = measure(split, reports)
            if reports and split == SPLITS[-1]:
                last = kinds, count
    kinds, count = last
    print(f"\nFound at the end, {SPLITS[-1]} with reports:\n{'':<20}", end="")
    print("".join(f"{label:>13}" for label in LETTERS))
    for kind in sorted(kinds, key=lambda kind: -kinds[kind].total()):
        print(f"{kind:<20}" + "".join(f"{kinds[kind][name]:>13}" for name in LETTERS))
    print(f"{'runs':<20}" + "".join(f"{count[name]:>13}" for name in LETTERS))


if __name__ == "__main__":
    main()
