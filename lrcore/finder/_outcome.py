"""The numbers of a range test."""

from __future__ import annotations

from dataclasses import dataclass

from lrcore._shared.types import Array


@dataclass(frozen=True, eq=False, repr=False)
class Outcome:
    """The attributes that `RangeTest` documents, and that its picture shows."""

    lrs: Array
    losses: Array
    smoothed: Array
    suggestions: dict[str, float]
    suggestion: float
    confidence: float
    reason: str
    trial_lrs: Array
    trial_losses: Array
    trial_steps: Array
    evaluations: int
