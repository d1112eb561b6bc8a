"""Clipping of norms that are spikes among those before them, and what may set norms."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, nan, sqrt
from typing import Any, ClassVar, Literal

from lrcore._shared.domains import (
    FLAG,
    FRACTION,
    FROM_ZERO,
    POSITIVE,
    Reals,
    choice,
    whole,
)
from lrcore._shared.words import shown
from lrcore._stateful import Check, Stateful, StatefulSetting, counted
from lrcore.optimizers.base.adagc import AdaGC

_MODES = choice("reciprocal", "max", "mean")

# The least deviation, as a share of the mean: of equal norms it would be 0, which no
# larger norm that is limited or skipped could change.
_LEAST = 1e-6

Counted = tuple[int, float, float, int]
"""Norms counted in the moments, their mean and variance, and spikes."""


class ZClip(Stateful, StatefulSetting):
    """Clips the norm of all gradients where it is a spike among those before it.

    ::

        spike:  |g| > mean + z max(std, 1e-6 mean)
        clip_norm = mean + z^2 std^2 / (|g| - mean)     mode "reciprocal"
        clip_norm = mean + z std                        mode "max"
        clip_norm = mean                                mode "mean"

        n    = |g| after clipping
        mean = decay mean + (1 - decay) n
        std  = sqrt(decay std^2 + (1 - decay) (n - mean)^2)    with the new mean

    The first `warmup` norms are not clipped; their mean and (population) standard
    deviation begin the averages.  ``clip_norm="zclip"`` is ``clip_norm=ZClip()``.

    Norms are those after `grad_scale`, `accumulate`, `clip_value`, `clip_tensor_norm`
    and `agc`, as for a `clip_norm` that is a number.  A norm that is not finite, or
    whose square is not, is no spike, and is not counted: `skip_nonfinite` is about it.
    A step that another option skips counts nothing.  It is saved and restored with the
    optimizer, in the middle of the warm-up, too; each optimizer needs its own.
    ``step_one`` refuses it without `comm`.

    Parameters
    ----------
    z : float
        How many standard deviations above the mean a norm may be, > 0.  Default 2.5.
    decay : float
        Decay of the averages, in [0, 1).  Default 0.97.
    warmup : int
        Number of norms before the first is clipped, >= 2.  Default 25.
    mode : {"reciprocal", "max", "mean"}
        To which norm a spike is clipped.  With "reciprocal", a larger spike gets a
        smaller norm, between the two others.  Default "reciprocal".
    skip : bool
        Do not clip spikes, but skip their steps: params, states and `t` do not change,
        and `step` returns False.  The averages count ``mean + z std`` for it, so that
        norms that stay larger are taken after some steps.  Default False.
    max_norm : float or None
        Clip all norms to this one, too, from the first step on.  Default None.

    Attributes
    ----------
    mean, std : float
        Of the past norms; NaN before the first.
    counted : int
        Number of norms in them, those of the warm-up at most.
    spikes : int
        Number of spikes so far.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.

    References
    ----------
    Kumar, Owen, Chowdhury & Guera 2025, "ZClip: adaptive spike mitigation for LLM
    pre-training" (arXiv 2504.02507), Algorithm 1: mode "reciprocal" with its defaults.
    The paper compares it with the two others.  Its code adds 1e-6 to the deviation, and
    has ``max_norm=1`` by default.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(1)
    >>> opt = lrcore.SGD(p, lr=1.0, clip_norm=lrcore.ZClip(warmup=2, mode="max"))
    >>> for norm in (1.0, 3.0, 100.0):
    ...     before = p.copy()
    ...     opt.step(np.array([norm])), float(before[0] - p[0])
    (True, 1.0)
    (True, 3.0)
    (True, 4.5)
    >>> opt.clip_norm.spikes
    1
    """

    __slots__ = (
        "_counted", "decay", "max_norm", "mode", "skip", "warmup", "z",
    )  # fmt: skip

    _config = ("z", "decay", "warmup", "mode", "skip", "max_norm")
    _changing: ClassVar[Mapping[str, Check]] = {
        "_counted": lambda name, value: _checked(name, value)
    }

    def __init__(
        self,
        z: float = 2.5,
        decay: float = 0.97,
        warmup: int = 25,
        mode: Literal["reciprocal", "max", "mean"] = "reciprocal",
        *,
        skip: bool = False,
        max_norm: float | None = None,
    ) -> None:
        self.z: float = POSITIVE.check("z", z)
        self.decay: float = FRACTION.check("decay", decay)
        self.warmup = whole("warmup", warmup, "an int >= 2", least=2)
        self.mode = _MODES.check("mode", mode)
        self.skip = FLAG.check("skip", skip)
        self.max_norm = POSITIVE.or_none().check("max_norm", max_norm)
        self._counted: Counted = (0, 0.0, 0.0, 0)

    @property
    def counted(self) -> int:
        """The number of norms in the averages, at most those of the warm-up."""
        return self._counted[0]

    @property
    def mean(self) -> float:
        """The mean of the past norms."""
        return self._counted[1] if self._counted[0] else nan

    @property
    def std(self) -> float:
        """The standard deviation of the past norms."""
        return sqrt(self._counted[2]) if self._counted[0] else nan

    @property
    def spikes(self) -> int:
        """The number of spikes so far."""
        return self._counted[3]

    def reset(self) -> None:
        """Forget all norms: it begins anew with its `warmup`."""
        self._counted = (0, 0.0, 0.0, 0)

    def _judged(self, norm: float) -> tuple[float, bool, Counted | None]:
        """Return for a norm its limit (0: none), whether to skip, the new `_counted`.

        None: it is not counted.
        """
        count, mean, var, spikes = self._counted
        most = inf if self.max_norm is None else self.max_norm
        if not isfinite(norm * norm):  # nor would the variance be
            return 0.0, False, None
        if count < self.warmup:  # Welford's update of mean and variance
            count += 1
            new = mean + (norm - mean) / count
            var += ((norm - mean) * (norm - new) - var) / count
            return most if norm > most else 0.0, False, (count, new, var, spikes)
        limit, usual = inf, mean + self.z * max(sqrt(var), _LEAST * mean)
        spike = norm > usual > 0
        if spike:
            spikes += 1
            limit = usual if self.skip else self._limit(norm, usual, mean, var)
        kept = min(norm, limit)
        new = self.decay * mean + (1 - self.decay) * kept
        var = self.decay * var + (1 - self.decay) * ((kept - new) * (kept - new))
        most = min(limit, most)
        after = (count, new, var, spikes)
        return most if norm > most else 0.0, spike and self.skip, after

    def _limit(self, norm: float, usual: float, mean: float, var: float) -> float:
        if self.mode == "mean" and mean > 0:
            return mean
        if self.mode == "reciprocal" and mean > 0:
            return mean + (usual - mean) * (self.z * sqrt(var) / (norm - mean))
        return usual

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._config)
        return f"ZClip({told})"


class Norms(Reals):
    """The largest norm: a number > 0, or a setting that follows past norms.

    word : the string that stands for a `setting` with its defaults.
    """

    def __init__(self, word: str, setting: type[ZClip] | type[AdaGC]) -> None:
        article = "an" if setting.__name__[0] in "AEIOU" else "a"
        text = f'{POSITIVE.text}, "{word}" or {article} {setting.__name__}'
        super().__init__(text, POSITIVE.least, POSITIVE.most)
        self.word, self.setting = word, setting
        self.kind = f'float, "{word}", {setting.__name__}'

    def _read(self, name: str, value: Any, wanted: str) -> Any:
        if isinstance(value, self.setting):
            return value
        if isinstance(value, str):
            if value == self.word:
                return self.setting()
            raise ValueError(f"{name}: expected {wanted}, found {shown(value)}")
        return super()._read(name, value, wanted)


CLIP_NORM = Norms("zclip", ZClip)
CLIP_TENSOR_NORM = Norms("adagc", AdaGC)


def _checked(name: str, value: Any) -> Counted:
    """Return the saved counts and moments of ZClip."""
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        raise ValueError(
            f"{name}: expected the numbers of norms, mean, variance and spikes, found "
            f"{shown(value)}"
        )
    count, mean, var, spikes = value
    return (
        counted(f"{name}[0]", count),
        FROM_ZERO.check(f"{name}[1]", mean),
        FROM_ZERO.check(f"{name}[2]", var),
        counted(f"{name}[3]", spikes),
    )
