"""Learn a linear model with 10 parameters in loop.pyx, and time its steps."""

import time

import numpy as np
from loop import learn

SAMPLES = 200_000

rng = np.random.default_rng(0)
true = rng.normal(size=9).astype("float32")
x = rng.normal(size=(SAMPLES, 9)).astype("float32")
y = x @ true + np.float32(0.5)

times = []
for _ in range(5):
    began = time.perf_counter()
    weights, bias = learn(x, y)
    times.append(time.perf_counter() - began)
print(f"largest error of a weight {abs(weights - true).max():.1e}, bias {bias:.3f}")
print(f"{min(times) / SAMPLES * 1e9:.0f} ns a sample, the least of {len(times)} runs")
