"""A trial of a search, and the order of trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

State = Literal["finished", "pruned", "diverged", "failed"]


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes
    ----------
    number : int
        From 0 in the order in which they were queued.  A number is missing if its trial
        was not completed and was repeated under another number.
    params : dict
        The parameters with which the objective was called.
    value : float
        The objective's value; of a pruned trial, the last number that it yielded; NaN
        if the trial diverged or failed.
    state : {"finished", "pruned", "diverged", "failed"}
        "failed": it raised an exception of ``tune(catch=...)``.
    losses : tuple of float
        The numbers that the objective yielded, from the first step on.
    seconds : float
        The duration of the trial.
    """

    number: int
    params: dict[str, Any]
    value: float
    state: State
    losses: tuple[float, ...] = field(default=(), repr=False)
    seconds: float = field(default=math.nan, repr=False, compare=False)

    def __hash__(self) -> int:  # without `params`, a dict
        return hash((self.number, self.state, self.losses))


def short(value: Any) -> str:
    """Return a value as tables show it: a float has four digits."""
    if isinstance(value, tuple):
        return f"({', '.join(map(short, value))})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def ranked(trials: Sequence[Trial], mode: str) -> tuple[Trial, ...]:
    """Return trials, the best first: see `Search`."""
    states, sign = get_args(State), 1 if mode == "min" else -1

    def rank(trial: Trial) -> tuple[float, ...]:
        longest = -len(trial.losses) if trial.state == "pruned" else 0
        value = math.inf if math.isnan(trial.value) else sign * trial.value
        return states.index(trial.state), longest, value, trial.number

    return tuple(sorted(trials, key=rank))
