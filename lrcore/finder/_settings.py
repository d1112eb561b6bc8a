"""The arguments of a range test, checked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrcore._shared.also import Also
from lrcore._shared.domains import FLAG, FRACTION, choice, real, whole
from lrcore._shared.renamed import warn_renamed
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.finder._horizon import shares, total_steps
from lrcore.finder._random import Rng, generators
from lrcore.finder._range import checked_range
from lrcore.finder._rules import FEWEST

_SPACED: dict[str, Callable[[float, float, int], Array]] = {
    "exponential": np.geomspace,
    "linear": np.linspace,
}

# The looks at a trial's losses that a decision needs at least: with fewer, a sixth of
# the race, after which it first decides, has too few.
_LOOKS = 30
# With `total`, the winner is run on up to 3 times as many steps.
_LONGER = 3


@dataclass(frozen=True)
class Settings:
    """What `LRSweep` is told.

    lrs : the rates of the sweep.
    may_lower, may_raise : whether lower and higher rates are looked at if need be.
    steps : of the winner's trial; 0: there are none.
    longest : up to which it is run on.
    shares : the rates of its steps as shares of the highest; [] if they are equal.
    stride : every so many losses of a trial are looked at: `score_every`, or fewer
        where the trials are short.
    progress : whether a bar is shown.
    """

    lrs: Array
    may_lower: bool
    may_raise: bool
    smoothing: float
    stop: float
    steps: int
    longest: int
    shares: list[float]
    stride: int
    rngs: list[Rng]
    also: Also
    progress: bool


def checked(
    owner: str,
    start: float | None,
    end: float | None,
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
    low, high = checked_range(start, end)
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
    every = whole("score_every", score_every, "an int >= 1", least=1)
    course = shares(schedule, total, steps)
    longest = steps if total is None or course else min(total, _LONGER * steps)
    return Settings(
        _SPACED[spacing](low, high, num), start is None, end is None, smoothing, stop,
        steps, longest, course,
        min(every, max(1, steps // _LOOKS)) if steps else every,
        generators(rng), Also(also),
        FLAG.check("progress", progress) and sys.stderr is not None,
    )  # fmt: skip
