"""Reducing a learning rate when a metric has stopped improving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, overload

import numpy as np

from lrcore._core import Commit
from lrcore._shared.domains import FRACTION, MODES, NONNEGATIVE, choice, count, real
from lrcore._shared.foreign import no_optimizer
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore._stateful import Check, StatefulSchedule, counted
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.training._metric import FOLLOWING, Following, improves, number
from lrcore.training._plateaus import Plateaus

_THRESHOLD_MODES = choice("rel", "abs")
_PATIENCE_RULES = choice("exceed", "reach")


class ReduceOnPlateau(Following, StatefulSchedule):
    """A schedule times a scale that shrinks when a metric has stopped improving.

    ::

        plateau(t) = max(s(t) scale, min(min_lr, s(t)))

    where s is a schedule or a number, and ``update(metric)`` multiplies the scale by
    `factor` after more than `patience` updates in a row without an improvement::

        plateau = lrcore.ReduceOnPlateau(Cosine(0.1, total=300), factor=0.5, patience=5)
        opt = lrcore.SGD(params, lr=plateau)     # or any other hyper-parameter
        plateau.update(loss_on_validation_set)   # after each epoch, say

    For an optimizer that has its rates already, and for groups with rates of their own,
    use ``plateau = lrcore.ReduceOnPlateau.attach(opt, factor=0.5, patience=5)``.

    It has a state: it takes a schedule, but schedules, which are pure, refuse it.  The
    optimizer's ``state_dict`` has a copy of it, and ``load_state_dict`` restores it,
    unless it is called inside of another function.

    Parameters
    ----------
    schedule : float or callable
        The rate s before any reduction: a number >= 0, or a pure schedule.
    factor : float
        The factor of a reduction, in [0, 1).  Default 0.1.
    patience : int
        The number of updates in a row without an improvement that are accepted, >= 0.
        Default 10.
    threshold : float
        The least improvement on the best metric, >= 0.  Default 1e-4.
    threshold_mode : {"rel", "abs"}
        Whether an improvement is below ``best - threshold * abs(best)``, or below
        ``best - threshold``; with mode "max", above the same with a plus.  Default
        "rel".
    mode : {"min", "max"}
        Whether the metric is to fall or to rise.  Default "min".
    cooldown : int
        The number of updates after a reduction that cannot count as bad, >= 0.  Keras's
        ``cooldown=c`` is c - 1 here, as the last of them counts there.  Default 0.
    min_lr : float
        The smallest value, >= 0; if s(t) is smaller, the value is s(t).  Default 0.
    eps : float
        The rate is only reduced by more than this, >= 0.  If `schedule` is a number,
        this is about the rate itself; otherwise it is about `scale`.  Default 1e-8.
    patience_rule : {"exceed", "reach"}
        Whether the rate is reduced when the number of bad updates exceeds `patience`
        (torch), or reaches it (Keras, optax; patience 0 means 1 then).  Default
        "exceed".
    smoothing : int
        The mean of each `smoothing` successive metrics counts as one metric, >= 1: a
        single lucky one does not become the best for ever.  The other updates change
        nothing, and `patience` and `cooldown` count means.  Default 1.

    Attributes
    ----------
    scale : float
        The factor of s: ``factor`` to the power of the number of reductions.
    best : float
        The best metric so far; infinite before there is one.
    num_bad : int
        The number of updates in a row without an improvement.
    cooldown_counter : int
        The number of updates to come that cannot count as bad.
    schedule, factor, patience, ...
        As given.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.

    References
    ----------
    The rates are those of torch's ``ReduceLROnPlateau``, to the bit if `schedule` is a
    number, as long as metrics are >= 0 (below 0, a relative threshold of torch accepts
    a metric that is slightly worse than the best).  Keras's: ``patience_rule="reach"``,
    ``threshold_mode="abs"``, ``eps=0``.  optax's ``reduce_on_plateau``:
    ``patience_rule="reach"``, ``eps=0``; `smoothing` is its ``accumulation_size``.

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
        "cooldown",
        "cooldown_counter",
        "eps",
        "factor",
        "min_lr",
        "patience",
        "patience_rule",
        "schedule",
        "threshold",
        "threshold_mode",
    )

    _config = (
        "schedule", "factor", "patience", "threshold", "threshold_mode", "mode",
        "cooldown", "min_lr", "eps", "patience_rule", "smoothing",
    )  # fmt: skip
    _changing: ClassVar[Mapping[str, Check]] = {
        **FOLLOWING,
        "cooldown_counter": counted,
        "_scale": NONNEGATIVE.check,
        "_rate": NONNEGATIVE.check,
    }
    _rate: float
    _scale: float
    cooldown_counter: int

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
        smoothing: int = 1,
    ) -> None:
        if isinstance(schedule, Optimizer):
            raise TypeError(
                "schedule: expected a finite number >= 0, or a pure schedule, found an "
                "optimizer; ReduceOnPlateau.attach(opt, ...) reduces its rates"
            )
        if isinstance(schedule, StatefulSchedule):
            raise TypeError(
                "schedule: expected a finite number >= 0, or a pure schedule, found "
                f"{shown(schedule)}"
            )
        self.schedule = NONNEGATIVE.or_schedule("schedule", schedule)
        self.factor = FRACTION.check("factor", factor)
        self.patience: int = count(0).check("patience", patience)
        self.threshold = NONNEGATIVE.check("threshold", threshold)
        self.threshold_mode = _THRESHOLD_MODES.check("threshold_mode", threshold_mode)
        self.mode = MODES.check("mode", mode)
        if self.threshold > 1 and (self.threshold_mode, self.mode) == ("rel", "min"):
            raise ValueError(
                "threshold: expected a fraction of the best metric, at most 1, found "
                f"{shown(threshold)}"
            )
        self.cooldown: int = count(0).check("cooldown", cooldown)
        self.min_lr = NONNEGATIVE.check("min_lr", min_lr)
        self.eps = NONNEGATIVE.check("eps", eps)
        self.patience_rule = _PATIENCE_RULES.check("patience_rule", patience_rule)
        self.smoothing: int = count(1).check("smoothing", smoothing)
        self._begin()

    @classmethod
    def attach(
        cls, opt: Optimizer, factor: float = 0.1, patience: int = 10, **options: Any
    ) -> Plateaus:
        """Reduce the learning rates of all groups of an optimizer on a plateau.

        Each group's rate r, a number or a schedule, becomes a plateau of r, so groups
        keep their rates and schedules.  All follow the same metric.  They are saved and
        restored with the optimizer.  Groups that are added later are not included.

        Parameters
        ----------
        opt : optimizer
            Its learning rates are set.
        factor, patience, **options
            The arguments of the class.  `min_lr` and `eps` apply to each rate.

        Returns
        -------
        Plateaus
            Has ``update(metric)`` and ``reset()``; a tuple of the plateaus.

        Raises
        ------
        TypeError, ValueError
            An argument is out of its domain, or a rate is a plateau already.  Nothing
            has been set then.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> groups = [{"params": np.zeros(2)}, {"params": np.zeros(2), "lr": 0.25}]
        >>> opt = lrcore.SGD(groups, lr=1.0)
        >>> plateau = lrcore.ReduceOnPlateau.attach(opt, factor=0.5, patience=0)
        >>> [plateau.update(loss) for loss in (1.0, 2.0)]
        [False, True]
        >>> [group["lr"](opt.t) for group in opt.param_groups]
        [0.5, 0.125]
        """
        if not isinstance(opt, Optimizer):
            raise no_optimizer(opt)
        own = [group["lr"] for group in opt.param_groups]
        made = {id(rate): cls(rate, factor, patience, **options) for rate in own}
        commit = Commit(opt._plan.lock)
        for group, rate in zip(opt.param_groups, own, strict=True):
            group.change(commit, "lr", made[id(rate)])
        commit.make()
        return Plateaus(made.values())

    @property
    def scale(self) -> float:
        """The factor of the schedule."""
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
            if type(s) is not float:
                wanted = f"{shown(self.schedule)} to return a number"
                s = real("schedule", s, wanted)
            return max(s * self._scale, min(self.min_lr, s))
        rate = max(self._rate, min(self.min_lr, self.schedule))
        return np.full(t.shape, rate) if isinstance(t, np.ndarray) else rate

    def update(self, metric: float) -> bool:
        """Take a new value of the metric; reduce the rate if it is time to.

        Parameters
        ----------
        metric : float
            The loss on a validation set, say.  NaN is no improvement.

        Returns
        -------
        bool
            Whether the rate was reduced.

        Raises
        ------
        TypeError
            The metric is no number.  Nothing has been changed then.
        """
        commit = Commit()
        reduced = self._update(number("metric", metric), commit)
        commit.make()
        return reduced

    def _update(self, metric: float, commit: Commit) -> bool:
        """Let a commit take a metric; return whether it reduces the rate."""
        new = self._copy()
        reduced = new._follow(metric)
        self._take(new, commit)
        return reduced

    def _follow(self, metric: float) -> bool:
        mean = self._averaged(metric)
        if mean is None:
            return False
        relative = self.threshold_mode == "rel"
        if improves(mean, self.best, self.mode, self.threshold, relative=relative):
            self.best = mean
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
        self._multiply(self.factor)
        return True

    def _begin(self) -> None:
        super()._begin()
        self.cooldown_counter = 0
        self._scale = 1.0
        # Kept beside the scale, as torch rounds base * factor * factor, and not
        # base * factor^2.
        self._rate = 1.0 if callable(self.schedule) else self.schedule

    def _multiply(self, factor: float) -> None:
        self._scale *= factor
        self._rate *= factor

    def _scale_by(self, factor: float, commit: Commit) -> None:
        new = self._copy()
        new._multiply(factor)
        self._take(new, commit)

    def __repr__(self) -> str:
        return (
            f"<ReduceOnPlateau of {self.schedule!r}: scale={self._scale:g}, "
            f"best={self.best:g}, num_bad={self.num_bad}>"
        )


__all__ = ["ReduceOnPlateau"]
