"""Pictures, by matplotlib: the extra `plot`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def draw_run(losses: Sequence[float], rates: Sequence[float], path: str) -> None:
    """Draw a run's loss, raw and smoothed, over its learning rate, into a file."""
    require()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    top, bottom = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    top.semilogy(losses, color="0.75", linewidth=0.8, label="each step")
    top.semilogy(_smoothed(losses), color="C0", label="smoothed")
    top.set(ylabel="loss")
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
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(
            'pictures need matplotlib: pip install "lrcore[plot]"'
        ) from None


def _smoothed(values: Sequence[float], decay: float = 0.95) -> list[float]:
    """Exponential moving average, corrected for its start."""
    mean, result = 0.0, []
    for t, value in enumerate(np.asarray(values, float), start=1):
        mean = decay * mean + (1 - decay) * float(value)
        result.append(mean / (1 - decay**t))
    return result
