"""The arguments of a range test, checked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrcore._shared.also import Also
from lrcore._shared.domains import FLAG, FRACTION, Reals, choice, real, whole
from lrcore._shared.renamed import warn_renamed
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.finder._horizon import shares, total_steps
from lrcore.finder._kept import Rng, generators
from lrcore.finder._rules import FEWEST

_SPACED: dict[str, Callable[[float, float, int], Array]] = {
    "exponential": np.geomspace,
    "linear": np.linspace,
}
# Quotients and products of two rates in this range neither overflow nor vanish.
_RATE = Reals("a number from 1e-100 to 1e100", 1e-100, 1e100)
_WIDTH = 1.1  # the least ratio of end to start


@dataclass(frozen=True)
class Settings:
    """What `LRSweep` is told.

    lrs : the rates of the sweep.
    low, high : the least and the greatest rate of trials.
    steps : of the longest trial; 0: there are none.
    shares : the rates of its steps as shares of the highest; [] if they are equal.
    stride : every so many losses of a trial are looked at.
    progress : whether a bar is shown.
    """

    lrs: Array
    low: float
    high: float
    smoothing: float
    stop: float
    steps: int
    shares: list[float]
    stride: int
    rngs: list[Rng]
    also: Also
    progress: bool


def checked(
    owner: str,
    start: float,
    end: float,
    num: int,
    spacing: str,
    smoothing: float,
    stop: float,
    trial_steps: int,
    schedule: Any,
    total: int | None,
    score_every: int,
    rng: Rng | Iterable[Rng] | None,
    also: Any,
    progress: bool,
) -> Settings:
    """Check the arguments of `owner`, for which the error messages are."""
    low, high = _RATE.check("start", start), _RATE.check("end", end)
    if not _WIDTH * low <= high:
        raise ValueError(
            f"end: expected at least {_WIDTH} times start = {low}, found {shown(end)}"
        )
    num = whole("num", num, f"an int >= {FEWEST}", least=FEWEST)
    if isinstance(schedule, str) and schedule in _SPACED:  # until 0.2.0
        warn_renamed(owner, f"schedule={schedule!r}", f"spacing={schedule!r}", 4)
        spacing, schedule = schedule, None
    spacing = choice(*_SPACED).check("spacing", spacing)
    smoothing = FRACTION.check("smoothing", smoothing)
    stop = real("stop", stop, "a number > 1")
    if not stop > 1:
        raise ValueError(f"stop: expected a number > 1, found {shown(stop)}")
    wanted = f"0, or an int >= {FEWEST}"
    steps = whole("trial_steps", trial_steps, wanted, least=0)
    if 0 < steps < FEWEST:
        raise ValueError(f"trial_steps: expected {wanted}, found {shown(trial_steps)}")
    total = total_steps(total)
    if steps and total is not None:
        steps = max(FEWEST, min(steps, total))
    return Settings(
        _SPACED[spacing](low, high, num), low, high, smoothing, stop, steps,
        shares(schedule, total, steps),
        whole("score_every", score_every, "an int >= 1", least=1),
        generators(rng), Also(also),
        FLAG.check("progress", progress) and sys.stderr is not None,
    )  # fmt: skip
