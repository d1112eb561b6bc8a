"""Whether a peer takes the steps that lrcore takes."""

from __future__ import annotations

import numpy as np

from lrcore.bench import peers
from lrcore.bench.arrays import random_arrays
from lrcore.bench.cases import FailedError
from lrcore.bench.peers import Job, Peer

CHECKED_STEPS = 5
TOLERANCE = {"float32": 1e-3, "float64": 1e-5}
"""Largest difference over the largest change in those steps.  Causes are float32's
rounding of p, and an eps that is added before or after the bias correction."""


def disagreement(
    kind: type[Peer], ours: type[Peer], optimizer: str, dtype: str, threads: int
) -> str | None:
    """Return how a peer's steps differ from ours, or None if they agree.

    Both take the same few steps, each with other gradients.
    """
    rng = np.random.default_rng(1)
    hyper = peers.settings(optimizer)
    if not kind.decays and "weight_decay" in hyper:
        hyper["weight_decay"] = 0.0
    shapes = [(24, 40), (40, 24), (8, 8)]
    start = random_arrays(rng, shapes, dtype)
    try:
        both = [
            each(
                Job(
                    optimizer,
                    hyper,
                    [p.copy() for p in start],
                    [np.zeros_like(p) for p in start],
                    threads,
                )
            )
            for each in (ours, kind)
        ]
        for _ in range(CHECKED_STEPS):
            grads = random_arrays(rng, shapes, dtype)
            for peer in both:
                peer.enter()
                peer.feed(grads)
                peer.step()
    except Exception as error:  # the other peers can be timed without it
        return f"it failed: {FailedError.of(error)}"
    a, b = ([*map(np.asarray, peer.results())] for peer in both)
    if len(a) != len(b) or any(x.shape != y.shape for x, y in zip(a, b, strict=True)):
        return "its results have other shapes"
    change = max(abs(x - p).max() for x, p in zip(a, start, strict=False))
    off = max(abs(x - y).max() for x, y in zip(a, b, strict=True)) / change
    if not off <= TOLERANCE[dtype]:
        return f"its update differs from ours, by {off:.1g} of the step"
    return None
