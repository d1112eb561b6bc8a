"""Gradients with spikes, and AdaGC in NumPy, for the tests of limits by past norms."""

import numpy as np

SIZES = (3, 2050, 1)


def gradients(steps, spikes=(), factor=100.0, dtype=np.float64):
    rng = np.random.default_rng(3)
    each = [[rng.normal(size=n).astype(dtype) for n in SIZES] for _ in range(steps)]
    for t in spikes:
        each[t] = [dtype(factor) * g for g in each[t]]
    return each


def params(dtype=np.float64):
    return [np.zeros(n, dtype) for n in SIZES]


def norm(arrays):
    return float(np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in arrays)))


def adagc(norms, factor, decay, warmup, most):
    """Norms after clipping [step, array], by Algorithm 1 of Wang et al. 2025."""
    means, kept = np.full(norms.shape[1], np.inf), []
    for t, g in enumerate(norms):
        if t < warmup:
            n = g * min(1.0, most / np.sqrt((g**2).sum()))
            means = np.minimum(means, n)
        else:
            n = g * np.minimum(1.0, factor * means / g)
            means = decay * means + (1 - decay) * n
        kept.append(n)
    return np.array(kept), means
