"""Fit the weights of the monitor's scores, on the tuning half.

    python bench/fit_monitor.py

The weights are those of lrcore/monitor/_scores.py.  A logistic regression separates
the runs that are too high from all that are not even fairly high, and likewise those
that are too low.
"""

from math import nan

import numpy as np
from monitor import MEANT, play
from runs import runs

from lrcore.monitor import _rates, _scores

WEIGHT = {
    "ordinary": 1, "below 0": 3, "near the optimum": 4, "heavy-tailed": 2,
    "disturbed": 1,
}  # fmt: skip
"""The weight of a run, by its group: there are fewest of those with most."""
NEAR_HIGH = 2
"""That of a run near the optimum, for rates that are too high."""
MARGIN = {
    "HIGH": 2.5, "LOW": 3.5, "HIGH_BY_LOSS": 1.0, "LOW_BY_LOSS": 1.5,
    "FLAT_BY_LOSS": 2.0,
}  # fmt: skip
"""How far the odds are lowered, so that fewer good runs are called bad."""
RIDGE = 1e-3


def regression(x, y, weight):
    """Return the constant and weights of a logistic regression, by Newton's method."""
    x = np.column_stack([np.ones(len(x)), x])
    w = np.zeros(x.shape[1])
    penalty = RIDGE * weight.sum() / len(x) * np.eye(len(w))
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        gradient = x.T @ (weight * (p - y)) + penalty @ w
        hessian = (x.T * (weight * p * (1 - p))) @ x + penalty
        w -= np.linalg.solve(hessian, gradient)
    return w[0], w[1:]


def fit(rows, name):
    """Return the Weights of a score; rows: (numbers, label, group) of runs."""
    names = [*getattr(_scores, name).weights]
    side = "high" if name.startswith("HIGH") else "low"
    rows = [row for row in rows if row[1] != f"fairly {side}"]
    x = np.array([[numbers[each] for each in names] for numbers, *_ in rows])
    x[~np.isfinite(x)] = 0.0
    label = np.array([row[1] for row in rows])
    of_group = WEIGHT | ({"near the optimum": NEAR_HIGH} if side == "high" else {})
    weight = np.array([float(of_group[row[2]]) for row in rows])
    constant, weights = regression(x, label == f"too {side}", weight)
    return _scores.Weights(
        round(float(constant) - MARGIN[name], 2),
        dict(zip(names, weights.round(2).tolist(), strict=True)),
    )


def rows_by_score(reports):
    """Return the rows by which each score is fitted, by its name."""
    rows = {name: [] for name in MARGIN if name.endswith("_BY_LOSS") != reports}
    high, low, *flat = rows
    with np.errstate(all="ignore"):
        for run in runs("tuning"):
            if run.group not in MEANT:
                continue
            summary = play(run, reports)._watched().summary()
            if summary is None:
                continue
            row = _scores.numbers(summary), run.label, run.group
            if not summary.drop > _rates.HALF:
                rows[high].append(row)
            # With reports, the gates would leave too few good runs to fit by.
            if reports:
                rows[low].append(row)
            elif _rates.may_be_short(summary, nan):
                rows[low if summary.fell else flat[0]].append(row)
    return rows


def main():
    for reports in (True, False):
        for name, rows in rows_by_score(reports).items():
            print(name, fit(rows, name))


if __name__ == "__main__":
    main()
