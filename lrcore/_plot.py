"""Pictures, by matplotlib: the extra `plot`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcore._typing import Array


def draw_run(
    losses: Sequence[float], rates: Sequence[float], path: str, title: str
) -> None:
    """Draw a run's loss, raw and smoothed, over its learning rate, into a file."""
    require()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    top, bottom = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    top.semilogy(losses, color="0.75", linewidth=0.8, label="each step")
    top.semilogy(_smoothed(losses), color="C0", label="smoothed")
    top.set(ylabel="loss", title=title)
    top.legend(frameon=False)
    bottom.plot(rates, color="C1")
    bottom.set(ylabel="learning rate", xlabel="step", ylim=(0, None))
    for axes in (top, bottom):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def require() -> None:
    """Raise ImportError with what to install where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401 # only whether it is there
    except ImportError:
        raise ImportError(
            'pictures need matplotlib: pip install "lrcore[plot]", or matplotlib itself'
        ) from None


def _smoothed(values: Sequence[float], half: int = 12) -> Array:
    """Mean over a window centred on each value, shorter at the ends."""
    sums = np.cumsum(np.concatenate([[0.0], np.asarray(values, float)]))
    at = np.arange(len(values))
    lo, hi = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    mean: Array = (sums[hi] - sums[lo]) / (hi - lo)
    return mean
