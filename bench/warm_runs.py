"""How often the monitor calls good runs bad that begin near the optimum: many of them.

    python bench/warm_runs.py

Ten problems begin near their optimum: few to judge a monitor by.  So those of the
tuning half that begin far from it are trained twice: by AdamW for half of their steps,
then from there as runs.py trains them, which labels them likewise.  A problem and
optimizer by which no rate lowers the loss of each seed any further is left out.  The
runs are kept in build/warm_runs.npz.  No weights are fitted by them.
"""

import numpy as np
from monitor import play, score
from problems import by_name
from problems.starts import again
from runs import (
    CACHE,
    FIELDS,
    RATES,
    SEEDS,
    Run,
    fingerprint,
    in_processes,
    judged,
    pairs,
    rates_of,
    train,
)

KEPT = CACHE.with_name("warm_runs.npz")
RATE = 0.03
"""The rate at which a problem is trained before, at first; it falls to 0."""


def warm(name):
    """Return a problem that begins with params that were trained before."""
    problem = by_name(name)
    before = problem.steps // 2
    return again(f"warm {name}", problem, rate=RATE, steps=before)


def wanted():
    """Return (problem, optimizer): no bowls and valleys, which have no noise."""
    return [
        (name, optimizer)
        for name, optimizer, split in pairs()
        if split == "tuning"
        and by_name(name).group in ("ordinary", "below 0")
        and by_name(name).kind not in ("bowl", "valley")
        and by_name(name).schedule is None
    ]


def sweep(pair):
    """Return all runs of a problem and optimizer, by seed and then by rate."""
    problem, optimizer = warm(pair[0]), pair[1]
    rates = rates_of(problem, optimizer, RATES)
    return [train(problem, optimizer, seed, lr) for seed in SEEDS for lr in rates]


def build():
    """Train all, and keep the runs."""
    trained = [run for runs in in_processes(sweep, wanted()) for run in runs]
    first, last, rows = zip(*trained, strict=True)
    KEPT.parent.mkdir(exist_ok=True)
    np.savez(
        KEPT,
        fingerprint=fingerprint(),
        first=first,
        last=last,
        steps=[r.shape[1] for r in rows],
        rows=np.concatenate(rows, axis=1),
    )


def warm_runs():
    """Return the runs, by problem, optimizer, seed and rate; train them if need be."""
    if not KEPT.exists() or str(np.load(KEPT)["fingerprint"]) != fingerprint():
        build()
    with np.load(KEPT) as kept:
        first, last, steps, rows = (kept[k] for k in ("first", "last", "steps", "rows"))
    shape = -1, len(SEEDS), len(RATES)
    ends = np.cumsum(steps).reshape(shape)
    steps, first, last = (a.reshape(shape) for a in (steps, first, last))
    found = []
    for i, (name, optimizer) in enumerate(wanted()):
        try:
            with np.errstate(all="ignore"):
                q, labels = judged(first[i], last[i])
        except ValueError:
            continue
        rates = rates_of(by_name(name), optimizer, RATES)
        for s, k in np.ndindex(shape[1:]):
            own = rows[:, ends[i, s, k] - steps[i, s, k] : ends[i, s, k]]
            records = dict(zip(FIELDS, own, strict=True))
            found.append(
                Run(name, optimizer, SEEDS[s], rates[k], records, float(first[i, s, k]),
                    float(last[i, s, k]), float(q[s, k]), labels[s, k],
                    "near the optimum")
            )  # fmt: skip
    return found


def main():
    found = warm_runs()
    labels = np.array([run.label for run in found])
    good = (labels == "good").sum()
    print(
        f"{len(found)} runs, {good} good.  Too high, too low, both: precision, recall; "
        "good runs that are called bad"
    )
    for reports in (True, False):
        with np.errstate(all="ignore"):
            ends = [play(run, reports).diagnose() for run in found]
        called = [{f.rate for f in end if f.rate} for end in ends]
        name = "with reports" if reports else "losses alone"
        print(f"{name:<14}{score(labels, called)}")


if __name__ == "__main__":
    main()
