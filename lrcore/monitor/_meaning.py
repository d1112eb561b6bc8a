"""Losses that do not tell how good the params are, and the series that tell it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lrcore._shared.types import Array
from lrcore.monitor._figures import figure, last_step
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History
from lrcore.monitor._known import Kind
from lrcore.monitor._summary import PARTS, Summary, mean, median

# A loss is about 0 by itself if its levels are, in the mean, less than half of its
# noise away from 0, and at least 30 % of the losses are on each side.
AWAY, EITHER = 0.5, 0.3
# Of noise that has grown, 10 times that of the first steps counts.
AT_FIRST, GROWN = 5, 10.0
# A policy has collapsed if its entropy has fallen to 5 % of its first value.
COLLAPSED = 0.05
# A policy's steps are large above this Kullback-Leibler divergence, in nats: trust
# regions are 0.01 to 0.02 (Schulman et al. 2015, 2017).
FAR = 0.05
# Values of a series that are needed to say something of it.
FEW = 5

ELSEWHERE = {
    "adversarial": "look at samples, or at a distance between them and the data; pass "
    "no such loss to a search or a schedule by plateaus",
    "policy": "look at the return",
}
PASS = "; pass entropy, kl and explained_variance to update()"
"""What is added to the advice on a policy of which none of these is known."""
WHY = {
    "adversarial": "it is a game: each player's loss depends on how good the other is",
    "policy": "its gradient has a meaning, its value has none",
}


def about_zero(run: Summary) -> bool:
    """Whether the loss looks like a policy's: noise about 0, from the first step on."""
    away = [abs(level) for level in run.levels]
    if not mean(away) < AWAY * run.noise:
        return False
    wiggle = run.history.wiggle[np.isfinite(run.history.wiggle)]
    early = median(wiggle[:AT_FIRST])
    # Noise that grows until it hides a loss does not make it one about 0.
    if not (mean(away) < AWAY * GROWN * early and away[0] < early):
        return False
    above = float((run.history.loss > 0).mean())
    return EITHER < above < 1 - EITHER


def not_judged(history: History, kind: Kind | None) -> Iterator[Finding]:
    """Say that the loss cannot tell whether the learning rate is right."""
    told = (
        "the loss is noise about 0" if kind is None else f"the loss is {_NAMES[kind]}"
    )
    kind = kind or "policy"
    series = history.entropy, history.kl, history.explained_variance
    known = any(np.isfinite(values).any() for values in series)
    yield Finding(
        "not judged", "info", last_step(history), int(history.step[0]),
        f"{told}, so the learning rate cannot be judged by the loss",
        WHY[kind], ELSEWHERE[kind] + ("" if known or kind != "policy" else PASS),
    )  # fmt: skip


_NAMES = {"adversarial": "adversarial", "policy": "that of a policy gradient"}


def of_series(history: History, kind: Kind | None) -> Iterator[Finding]:
    """Find what entropy, divergence and explained variance tell of a policy."""
    step = last_step(history)
    at, entropy = _given(history, history.entropy)
    if len(entropy) >= FEW:
        first, now = entropy[0], median(entropy[-3:])
        if first > 0 and now < COLLAPSED * first:
            below = int(np.flatnonzero(entropy < COLLAPSED * first)[0])
            yield Finding(
                "entropy collapse", "warning", step, int(at[below]),
                f"the entropy went from {figure(first)} to {figure(now)}",
                "the policy has become deterministic, so it explores no more; that is "
                "right only at its best",
                "lower the learning rate, or raise the weight of the entropy",
            )  # fmt: skip
    since, kl = _late(history, history.kl)
    if kl is not None and kl > FAR:
        yield Finding(
            "large policy steps", "warning", step, since,
            f"a step changes the policy by a divergence of {figure(kl)} nats, where "
            "0.01 to 0.02 is usual",
            "the data of the old policy say little of one so far away",
            "lower the learning rate, or take fewer epochs of the same data",
        )  # fmt: skip
    since, explained = _late(history, history.explained_variance)
    if explained is not None and explained <= 0 and step >= 2 * PARTS:
        yield Finding(
            "value function", "warning", step, since,
            f"the value function explains {figure(100 * explained)} % of the variance "
            "of the returns",
            "it predicts no better than their mean, so the advantages are noise",
            "look at its targets and their scale, and at its own learning rate",
        )  # fmt: skip


def _late(history: History, series: Array) -> tuple[int, float | None]:
    """Return the median of a series' last quarter, and the step at which it begins.

    None: there are too few values.
    """
    at, values = _given(history, series)
    if len(values) < FEW:
        return 0, None
    late = values[-max(len(values) // 4, FEW) :]
    return int(at[-len(late)]), median(late)


def _given(history: History, series: Array) -> tuple[Array, Array]:
    """Return the steps at which a series was given, and its values."""
    known = np.isfinite(series)
    return history.step[known], series[known]
