"""Clipping of each array by the mean of its past norms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot, inf, isfinite
from typing import ClassVar

from lrcore._shared.domains import FRACTION, POSITIVE, Reals, count
from lrcore._stateful import Check, Stateful, StatefulSetting

_ABOVE_ONE = Reals("a finite number >= 1", 1.0)


class AdaGC(Stateful, StatefulSetting):
    """Clips each array's gradient to a multiple of the mean of its past norms.

    ::

        |g_i| <= factor mean_i;   mean_i = decay mean_i + (1 - decay) |g_i clipped|

    In the first `warmup` steps of an array, all arrays are clipped together instead, to
    `warmup_norm`, and the smallest norm of each begins its mean::

        g_i = g_i min(1, warmup_norm / |g|);   mean_i = min(mean_i, |g_i|)

    where ``|g|`` is the norm of all gradients of the group.  Norms of 0 are left out:
    they would never let an array change.  ``clip_tensor_norm="adagc"`` is
    ``clip_tensor_norm=AdaGC()``.

    The means are states of the arrays, ``norm_mean``: they are saved, loaded and
    matched with the others.  A step that is skipped does not change them.  Norms are
    those after `grad_scale`, `accumulate` and `clip_value`; one that is not finite is
    neither clipped nor counted.  `agc` refuses it, and so does ``step_one`` without
    `comm`.

    Parameters
    ----------
    factor : float
        The largest ratio of a norm and the mean before, >= 1.  Default 1.05.
    decay : float
        Decay of the means, in [0, 1).  Default 0.98.
    warmup : int
        Number of steps until arrays are clipped by themselves, >= 1.  Default 100.
    warmup_norm : float or None
        The norm of all gradients of a group until then; None: they are not clipped.
        Default 1.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.

    References
    ----------
    Wang et al. 2025, "AdaGC: improving training stability for large language model
    pretraining" (arXiv 2502.11034), Algorithm 1, with its defaults; there the warm-up
    clips the norm of all params together.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(1)
    >>> adagc = lrcore.AdaGC(1.5, warmup=1, warmup_norm=None)
    >>> opt = lrcore.SGD(p, lr=1.0, clip_tensor_norm=adagc)
    >>> opt.step(np.array([2.0])), opt.step(np.array([100.0])), p
    (True, True, array([-5.]))
    """

    __slots__ = ("decay", "factor", "warmup", "warmup_norm")

    _config = ("factor", "decay", "warmup", "warmup_norm")
    _changing: ClassVar[Mapping[str, Check]] = {}

    def __init__(
        self,
        factor: float = 1.05,
        decay: float = 0.98,
        warmup: int = 100,
        warmup_norm: float | None = 1.0,
    ) -> None:
        self.factor = _ABOVE_ONE.check("factor", factor)
        self.decay = FRACTION.check("decay", decay)
        self.warmup: int = count(1).check("warmup", warmup)
        self.warmup_norm = POSITIVE.or_none().check("warmup_norm", warmup_norm)

    def _judged(
        self, steps: Sequence[int], norms: Sequence[float], means: Sequence[float]
    ) -> tuple[list[float], list[float]]:
        """Return the limit of each array (0: none), and its mean after the step.

        steps : the number of this step for each array, counted from 1.
        means : those before the step; 0: no norm has been counted.
        """
        limits, after = [], []
        warm = self.warmup_norm
        share = 1.0
        if warm is not None and min(steps, default=inf) <= self.warmup:
            norm = hypot(*norms)
            share = warm / norm if warm < norm < inf else 1.0
        for step, norm, mean in zip(steps, norms, means, strict=True):
            limit = 0.0
            if norm > 0 and isfinite(norm):
                if step <= self.warmup:
                    limit = norm * share if share < 1 else 0.0
                    kept = limit or norm
                    mean = min(mean, kept) if mean else kept
                elif mean:
                    most = self.factor * mean
                    limit = most if norm > most else 0.0
                    mean = self.decay * mean + (1 - self.decay) * (limit or norm)
                else:
                    mean = norm
            limits.append(limit)
            after.append(mean)
        return limits, after

    def __eq__(self, other: object) -> bool:
        return type(other) is AdaGC and self.state_dict() == other.state_dict()

    __hash__ = None  # type: ignore[assignment] # it can change: load_state_dict

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._config)
        return f"AdaGC({told})"
