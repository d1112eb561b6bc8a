"""How often the monitor calls good runs bad that begin near the optimum: many of them.

    python bench/warm_runs.py

Ten problems begin near their optimum: few to judge a monitor by.  So those of the
tuning half that begin far from it are trained twice: by AdamW for half of their steps,
then from there as runs.py trains them, which labels them likewise.  A problem and
optimizer by which no rate lowers the loss of each seed any further is left out.  The
runs are kept in build/warm_runs.npz.  No weights are fitted by them.
"""

from contextlib import suppress

import numpy as np
from monitor import play, score
from problems import by_name
from problems.starts import again
from runs import CACHE, build, kept_in, labelled, pairs, sweep_of, up_to_date

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
    return sweep_of(warm(pair[0]), pair[1])


def warm_runs():
    """Return the runs, by problem, optimizer, seed and rate; train them if need be."""
    if not up_to_date(KEPT, __file__):
        build(KEPT, __file__, sweep, wanted())
    found = []
    for pair, kept in zip(wanted(), kept_in(KEPT), strict=True):
        with suppress(ValueError), np.errstate(all="ignore"):
            found += labelled(*pair, "near the optimum", *kept)
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
