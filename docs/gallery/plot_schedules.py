"""
Schedules that fall, and constant rates
=======================================

With noisy gradients, a high constant rate is fast at first but ends with a large loss,
and a low one is slow.  A schedule that falls is fast at first and ends with a small
loss.
"""

import numpy as np

import lrcore
from lrcore.schedules import WSD, Constant, Cosine, Linear

STEPS = 600
schedules = {
    "constant, high": Constant(0.3),
    "constant, low": Constant(0.01),
    "cosine": Cosine(0.3, total=STEPS),
    "linear": Linear(0.3, 0, total=STEPS),
    "WSD": WSD(0.3, total=STEPS, warmup_steps=20, decay_steps=150),
}
figure = lrcore.plots.schedules(schedules, steps=STEPS)

# %%
# Least squares with one sample in each step, which gives the noisiest gradients.
rng = np.random.default_rng(0)
x = rng.normal(size=(2000, 20))
true_w = rng.normal(size=20)
y = x @ true_w + rng.normal(size=2000) / 2


def train(lr):
    """Return the loss over all samples after each step."""
    rng, w, losses = np.random.default_rng(1), np.zeros(20), []
    opt = lrcore.Adam(w, lr=lr)
    for _ in range(STEPS):
        i = rng.integers(len(x))
        opt.step(x[i] * (x[i] @ w - y[i]))
        losses.append(((x @ w - y) ** 2).mean() / 2)
    return losses


losses = {name: train(lr) for name, lr in schedules.items()}
for name, run in losses.items():
    print(f"{name:<15} ends at {run[-1]:.3f}")

# %%
# The loss over the steps, smoothed; the legend has the loss at the end.
figure = lrcore.plots.compare(losses)
