"""
A run that goes back when it diverges
=====================================

At this rate the loss grows without limit.  ``Monitor(opt, on_divergence="rollback")``
keeps copies of good params, goes back to them when the loss has diverged, and lowers
the rate.
"""

import numpy as np

import lrcore

rng = np.random.default_rng(0)
x = rng.normal(size=(200, 3))
y = x @ [1.0, -2.0, 0.5]


def train(**options):
    """Return the monitor of a run at a rate that is too high."""
    w = np.zeros(3)
    opt = lrcore.SGD(w, lr=1.95, telemetry=True)
    monitor = lrcore.Monitor(opt, **options)
    for _ in range(300):
        error = x @ w - y
        loss = (error**2).mean() / 2
        opt.step(x.T @ error / len(x))
        finding = monitor.update(loss)
        if finding:
            print(finding, end="\n\n")
        if loss > 1e6:
            break
    print(f"the last loss is {loss:.2g}, at lr = {opt.lr:.3g}")
    return monitor


# %%
# Without a rollback, the monitor only reports.
alone = train()

# %%
# With it, the run goes on from good params, at a lower rate, and ends well.
guarded = train(on_divergence="rollback")

# %%
# The monitor's picture of this run.  A numbered line marks the step of each finding,
# and hatching the steps to which it applies.  The four panels share the axis of steps.
figure = guarded.plot()
