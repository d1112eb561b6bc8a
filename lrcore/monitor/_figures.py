"""Numbers as the text of findings shows them."""

from __future__ import annotations

import numpy as np

from lrcore.monitor._history import History


def last_step(history: History) -> int:
    """Return the number of the last step."""
    return int(history.step[-1] + history.steps[-1] - 1)


def rate_in_words(history: History) -> str:
    """Return the learning rate in words; of a schedule, the highest and the last."""
    rates = history.lr[np.isfinite(history.lr)]
    if not len(rates):
        return "an unknown lr"
    most, now = rates.max(), rates[-1]
    if most == rates.min():
        return f"lr = {figure(now)}"
    return f"lr up to {figure(most)}" + (f", now {figure(now)}" if now < most else "")


def meanwhile(rate: str) -> str:
    """Return the rate in words, as they follow a verb: "grew while lr = 0.1"."""
    return ("while " if rate.startswith("lr =") else "at ") + rate


def went(first: float, now: float) -> str:
    """Return from where to where a loss went."""
    return f"the loss went from {figure(first)} to {figure(now)}"


def fold(now: float, before: float) -> str:
    """Return the factor by which a loss has grown: "12-fold"."""
    if before <= 0 or now / before > 1e6:
        return f"from {figure(before)} to {figure(now)}"
    return f"{figure(now / before)}-fold"


def figure(x: float, digits: int = 3) -> str:
    """Return a number with 3 digits or more: all those before the point, as in 1234."""
    text = f"{x:.{digits}g}"
    return f"{x:.0f}" if "e+" in text and abs(x) < 1e6 else text
