"""
An average instead of a lower rate
==================================

Near a minimum, the params of a noisy run move around it at random.  Their mean over the
last steps is usually closer to the minimum.  `ema_decay` keeps this mean in the same
pass over memory, and within ``with opt.averaged():`` the params hold it.
"""

import matplotlib.pyplot as plt
import numpy as np

import lrcore

rng = np.random.default_rng(0)
x = rng.normal(size=(1000, 10))
y = x @ rng.normal(size=10) + rng.normal(size=1000)


def loss(w):
    """Return the mean squared error over all samples."""
    return ((x @ w - y) ** 2).mean()


w = np.zeros(10)
opt = lrcore.SGD(w, lr=0.05, ema_decay=0.98)
raw, averaged = [], []
for _ in range(400):
    rows = rng.integers(len(x), size=4)
    opt.step(x[rows].T @ (x[rows] @ w - y[rows]) / 4)
    raw.append(loss(w))
    with opt.averaged():
        averaged.append(loss(w))

# %%
# The loss of the params after each step, and that of their average.  At first the
# average lags behind; then it stays close to the least possible loss, which the params
# do not reach at this rate.
plt.plot(raw, label="the params")
plt.plot(averaged, label="their average")
plt.axhline(loss(np.linalg.lstsq(x, y)[0]), color="0.5", label="the least possible")
plt.yscale("log")
plt.xlabel("step")
plt.ylabel("loss")
plt.legend()
plt.show()
