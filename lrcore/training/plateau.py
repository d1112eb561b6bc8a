"""Reducing a learning rate when a metric has stopped improving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isinf, isnan
from typing import Any, Literal, Self, overload

import numpy as np

from lrcore._shared.domains import FRACTION, NONNEGATIVE, choice, real, whole
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.optimizers.base.stateful import StatefulSchedule

MODES = choice("min", "max")
_THRESHOLD_MODES = choice("rel", "abs")
_PATIENCE_RULES = choice("exceed", "reach")


def improves(
    metric: float, best: float, mode: str, threshold: float, *, relative: bool
) -> bool:
    """Whether a metric is better than the best, by more than a threshold; NaN is not.

    A best that is infinite is none yet.
    """
    sign = 1.0 if mode == "max" else -1.0
    if not isinf(best):
        best = best * (1 + sign * threshold) if relative else best + sign * threshold
    return metric > best if mode == "max" else metric < best


def known(name: str, value: Any) -> float:
    """Return a saved metric, which may be infinite, for none."""
    metric = real(name, value, "a number")
    if isnan(metric):
        raise ValueError(f"{name}: expected a number, found {shown(value)}")
    return metric


class ReduceOnPlateau(StatefulSchedule):
    """A schedule times a scale that shrinks when a metric has stopped improving.

    ::

        plateau(t) = max(s(t) scale, min(min_lr, s(t)))

    where s is a schedule or a number, and ``update(metric)`` multiplies the scale by
    `factor` after more than `patience` updates in a row without an improvement::

        plateau = lrcore.ReduceOnPlateau(Cosine(0.1, total=300), factor=0.5, patience=5)
        opt.lr = plateau                         # or any other hyper-parameter
        plateau.update(loss_on_validation_set)   # after each epoch, say

    It has a state, so it is no pure schedule, and comes outermost: schedules refuse to
    be composed of it.  The optimizer's ``state_dict`` has a copy of it, and
    ``load_state_dict`` restores it (but not inside another function).

    Parameters
    ----------
    schedule : float or callable
        The rate s before any reduction: a number >= 0, or a pure schedule.
    factor : float
        In [0, 1).  Default 0.1.
    patience : int
        Updates without an improvement that are let pass, >= 0.  Default 10.
    threshold : float
        How much better than the best is an improvement, >= 0.  Default 1e-4.
    threshold_mode : {"rel", "abs"}
        Whether that is ``best * (1 - threshold)`` or ``best - threshold`` (mode "max":
        with +).  "rel" is for metrics > 0: below 0 it takes a slightly worse one for
        better, as torch does.  Default "rel".
    mode : {"min", "max"}
        Whether the metric is to fall or to rise.  Default "min".
    cooldown : int
        Updates after a reduction in which none counts as bad, >= 0.  Keras's
        ``cooldown=c`` is c - 1 here, as it counts the last of them.  Default 0.
    min_lr : float
        The smallest value, >= 0; where s(t) is smaller, it stays s(t).  Default 0.
    eps : float
        The rate is reduced where it changes by more than this, >= 0.  The rate is that
        of a number with its `min_lr`; above a schedule it is `scale`, as if s were 1.
        Default 1e-8.
    patience_rule : {"exceed", "reach"}
        Whether the rate is reduced when there are more bad updates than `patience`
        (torch) or as many (Keras, optax; patience 0 is as 1 then).  Default "exceed".

    Attributes
    ----------
    scale : float
        What s is multiplied by: ``factor`` to the number of reductions.
    best : float
        The best metric so far; infinite before there is one.
    num_bad : int
        Updates in a row without an improvement.
    cooldown_counter : int
        Updates to come in which none counts as bad.
    schedule, factor, patience, ...
        As given.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.

    References
    ----------
    The sequence is that of torch's ``ReduceLROnPlateau``, to the bit where `schedule`
    is a number.  Keras's: ``patience_rule="reach"``, ``threshold_mode="abs"``,
    ``eps=0``.  optax's ``reduce_on_plateau``: ``patience_rule="reach"``, ``eps=0``.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> plateau = lrcore.ReduceOnPlateau(0.5, factor=0.5, patience=1)
    >>> opt = lrcore.SGD(np.zeros(3), lr=plateau)
    >>> [plateau.update(loss) for loss in (1.0, 0.9, 0.9, 0.9)]
    [False, False, False, True]
    >>> opt.lr
    0.25
    """

    __slots__ = (
        "_rate",
        "_scale",
        "best",
        "cooldown",
        "cooldown_counter",
        "eps",
        "factor",
        "min_lr",
        "mode",
        "num_bad",
        "patience",
        "patience_rule",
        "schedule",
        "threshold",
        "threshold_mode",
    )

    _rate: float
    _scale: float
    best: float
    cooldown_counter: int
    num_bad: int

    def __init__(
        self,
        schedule: float | Callable[[Any], Any],
        factor: float = 0.1,
        patience: int = 10,
        *,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        mode: Literal["min", "max"] = "min",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
        patience_rule: Literal["exceed", "reach"] = "exceed",
    ) -> None:
        if isinstance(schedule, StatefulSchedule):
            raise TypeError(
                "schedule: expected a finite number >= 0, or a pure schedule, found "
                f"{shown(schedule)}"
            )
        self.schedule = NONNEGATIVE.or_schedule("schedule", schedule)
        self.factor = FRACTION.check("factor", factor)
        self.patience = whole("patience", patience, "an int >= 0", least=0)
        self.threshold = NONNEGATIVE.check("threshold", threshold)
        self.threshold_mode = _THRESHOLD_MODES.check("threshold_mode", threshold_mode)
        self.mode = MODES.check("mode", mode)
        if self.threshold > 1 and (self.threshold_mode, self.mode) == ("rel", "min"):
            raise ValueError(
                "threshold: expected a share of the best metric, at most 1, found "
                f"{shown(threshold)}"
            )
        self.cooldown = whole("cooldown", cooldown, "an int >= 0", least=0)
        self.min_lr = NONNEGATIVE.check("min_lr", min_lr)
        self.eps = NONNEGATIVE.check("eps", eps)
        self.patience_rule = _PATIENCE_RULES.check("patience_rule", patience_rule)
        self.reset()

    @property
    def scale(self) -> float:
        """What the schedule is multiplied by."""
        return self._scale

    @overload
    def __call__(self, t: int | float) -> float: ...
    @overload
    def __call__(self, t: Array) -> Array: ...
    def __call__(self, t: Any) -> Any:
        """Return the value after t steps, at the present scale."""
        if callable(self.schedule):
            s = self.schedule(t)
            if isinstance(s, np.ndarray):
                return np.maximum(s * self._scale, np.minimum(self.min_lr, s))
            s = real("schedule", s, "a schedule that returns a number")
            return max(s * self._scale, min(self.min_lr, s))
        rate = max(self._rate, min(self.min_lr, self.schedule))
        return np.full(t.shape, rate) if isinstance(t, np.ndarray) else rate

    def update(self, metric: float) -> bool:
        """Take a new value of the metric, and reduce the rate where it is time.

        Parameters
        ----------
        metric : float
            The loss on a validation set, or whatever is to improve.  NaN is no
            improvement.

        Returns
        -------
        bool
            Whether the rate was reduced.

        Raises
        ------
        TypeError
            The metric is no number.  Nothing has been changed then.
        """
        value = real("metric", metric, "a number")
        relative = self.threshold_mode == "rel"
        if improves(value, self.best, self.mode, self.threshold, relative=relative):
            self.best = value
            self.num_bad = 0
        else:
            self.num_bad += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad = 0
        enough = self.patience + 1
        if self.patience_rule == "reach":
            enough = max(self.patience, 1)
        if self.num_bad < enough:
            return False
        self.cooldown_counter = self.cooldown
        self.num_bad = 0
        return self._reduce()

    def _reduce(self) -> bool:
        if callable(self.schedule):
            now, then = self._scale, self._scale * self.factor
        else:
            least = min(self.min_lr, self.schedule)
            now, then = max(self._rate, least), max(self._rate * self.factor, least)
        if not now - then > self.eps:
            return False
        self._scale_by(self.factor)
        return True

    def reset(self) -> None:
        """Begin anew: no metric seen, nothing reduced."""
        self._scale = 1.0
        # By itself, as torch rounds: base * factor * factor, not base * factor^2.
        self._rate = 1.0 if callable(self.schedule) else self.schedule
        self.best = inf if self.mode == "min" else -inf
        self.num_bad = 0
        self.cooldown_counter = 0

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` takes; the optimizer's has it already.

        The schedule is kept as it is, and pickles if it can.
        """
        state = {name: getattr(self, name) for name in (*_CONFIG, *_COUNTERS)}
        return {**state, "scale": self._scale, "rate": self._rate}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue where the one that gave this ``state_dict()`` was.

        Raises
        ------
        TypeError, ValueError
            It is no such dict.  Nothing has been changed then.
        """
        wanted = self.state_dict().keys()
        if not isinstance(saved, Mapping) or saved.keys() != wanted:
            raise ValueError(f"saved: expected {list(wanted)}, found {shown(saved)}")
        new = ReduceOnPlateau(**{name: saved[name] for name in _CONFIG})
        new.best = known("best", saved["best"])
        for name in ("num_bad", "cooldown_counter"):
            setattr(new, name, whole(name, saved[name], "an int >= 0", least=0))
        new._scale = NONNEGATIVE.check("scale", saved["scale"])
        new._rate = NONNEGATIVE.check("rate", saved["rate"])
        self._take(new)

    def _copy(self) -> Self:
        new = object.__new__(type(self))
        new._take(self)
        return new

    def _take(self, other: Self) -> None:
        for name in ReduceOnPlateau.__slots__:
            setattr(self, name, getattr(other, name))

    def _scale_by(self, factor: float) -> None:
        self._scale *= factor
        self._rate *= factor

    def __repr__(self) -> str:
        return (
            f"<ReduceOnPlateau of {self.schedule!r}: scale={self._scale:g}, "
            f"best={self.best:g}, num_bad={self.num_bad}>"
        )


_COUNTERS = ("best", "num_bad", "cooldown_counter")
_CONFIG = tuple(
    name
    for name in ReduceOnPlateau.__slots__
    if not name.startswith("_") and name not in _COUNTERS
)

__all__ = ["ReduceOnPlateau"]
