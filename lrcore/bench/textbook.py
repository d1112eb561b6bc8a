"""The optimizer's step beside the loop that one writes in NumPy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

import lrcore
from lrcore._shared.types import Array

Params = Mapping[str, Array]


class TextbookAdamW:
    """AdamW as it stands in the textbooks, in NumPy."""

    def __init__(self, params: Params, lr: float = 1e-3, weight_decay: float = 1e-2):
        self.params, self.lr, self.weight_decay, self.t = params, lr, weight_decay, 0
        self.m = {name: np.zeros_like(p) for name, p in params.items()}
        self.v = {name: np.zeros_like(p) for name, p in params.items()}

    def step(self, grads: Params, b1: float = 0.9, b2: float = 0.999) -> None:
        """Update the params in place."""
        self.t += 1
        for k, p in self.params.items():
            self.m[k] = b1 * self.m[k] + (1 - b1) * grads[k]
            self.v[k] = b2 * self.v[k] + (1 - b2) * grads[k] ** 2
            m_hat = self.m[k] / (1 - b1**self.t)
            v_hat = self.v[k] / (1 - b2**self.t)
            p -= self.lr * (m_hat / (np.sqrt(v_hat) + 1e-8) + self.weight_decay * p)


def time_steps(networks: Sequence[Params]) -> str:
    """Time AdamW's step on each network by lrcore and by the textbook; return a table.

    The two take turns, and the shortest time of each counts.
    """
    lines = ["an AdamW step on         textbook NumPy      lrcore"]
    for params in networks:
        ours, theirs = _best(params)
        weights = sum(p.size for p in params.values())
        lines.append(
            f"{weights:>12,} weights  {theirs * 1e6:>11,.1f} us  "
            f"{ours * 1e6:>7,.1f} us  ({theirs / ours:.0f} times as fast)"
        )
    config = lrcore.show_config("dict")
    assert config is not None
    lines.append(f"\nkernels: {config['isa']}, threads: {config['threads']}")
    return "\n".join(lines)


def _best(params: Params, seconds: float = 1.0) -> tuple[float, float]:
    copies = [{name: p.copy() for name, p in params.items()} for _ in range(2)]
    grads = {name: np.full_like(p, 0.01) for name, p in params.items()}
    steps: list[Callable[[Params], object]]
    steps = [lrcore.AdamW(copies[0]).step, TextbookAdamW(copies[1]).step]
    best = [float("inf"), float("inf")]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for k, step in enumerate(steps):
            start = time.perf_counter()
            step(grads)
            best[k] = min(best[k], time.perf_counter() - start)
    return best[0], best[1]
