"""
Too low, right, too high
========================

The same problem at three learning rates.  At 0.01 the loss falls slowly.  At 0.5 it
falls fast, until only rounding is left.  At 1.9 the steps are too long, and the loss
soon rises.
"""

import matplotlib.pyplot as plt
import numpy as np

import lrcore

# %%
# Least squares on 200 samples.
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 3))
y = x @ [1.0, -2.0, 0.5]

for lr in (0.01, 0.5, 1.9):
    w, losses = np.zeros(3), []
    opt = lrcore.SGD(w, lr=lr)
    for _ in range(60):
        error = x @ w - y
        losses.append(error @ error / 2 / len(x))
        opt.step(x.T @ error / len(x))
    plt.semilogy(losses, label=f"lr = {lr}")
plt.xlabel("step")
plt.ylabel("loss")
plt.legend()
plt.show()
