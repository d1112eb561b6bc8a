"""Schedules over a run of known length, and Noam's schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from lrcore._shared.domains import choice
from lrcore.schedules._formulas import half_cosine
from lrcore.schedules._parameters import (
    Finite,
    Flag,
    Fraction,
    MaybeNoSteps,
    Positive,
    Steps,
)
from lrcore.schedules._schedule import Schedule

__all__ = ["WSD", "Cosine", "FlatCosine", "Noam", "Rex", "Tanh"]


@dataclass(frozen=True, repr=False)
class Cosine(Schedule):
    """``end + (base - end) (1 + cos(pi min(t / total, 1))) / 2``.

    Half a cosine from base to end (Loshchilov & Hutter 2017, "SGDR", eq. 5, without
    restarts).

    Parameters
    ----------
    base, end : float
        The first and the last value.  end defaults to 0.
    total : int
        The number of steps from base to end.  With 0, step 0 is at base, all others are
        at end: this is the limit, and a warm-up rises to base.
    rises : bool
        Whether the cosine goes on afterwards, up to base and down again, as in torch's
        CosineAnnealingLR.  Default False: the value stays at end.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, or `total` is 0 with `rises`.

    Examples
    --------
    >>> s = Cosine(1.0, total=100)
    >>> s(0), s(50), s(100), s(200)
    (1.0, 0.5, 0.0, 0.0)
    >>> Cosine(1.0, total=100, rises=True)(200)
    1.0
    """

    base: Finite
    total: MaybeNoSteps
    end: Finite = 0.0
    rises: Flag = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rises and not self.total:
            raise ValueError("total: expected at least 1 step if it rises, found 0")

    def _at(self, t: Any, xp: Any) -> Any:
        x = t / self.total if self.rises else xp.progress(t, 0, self.total)
        return xp.between(self.end, self.base, half_cosine(x, xp))

    @property
    def _length(self) -> int:
        return self.total * (3 if self.rises else 1)


@dataclass(frozen=True, repr=False)
class FlatCosine(Schedule):
    """``base`` for a part of the steps, then half a cosine to ``end``.

    fastai's fit_flat_cos is this, with an end of ``base / 1e5``.

    Parameters
    ----------
    base, end : float
        The first and the last value.  end defaults to 0.
    total : int
        The number of steps of both parts together; 0 as in `Cosine`.
    pct_start : float
        The fraction of the steps in the first part, below 1.  Default 0.75.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> s = FlatCosine(1.0, total=100, pct_start=0.6)
    >>> s(60), s(80), s(100)
    (1.0, 0.5, 0.0)
    """

    base: Finite
    total: MaybeNoSteps
    pct_start: Fraction = 0.75
    end: Finite = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pct_start == 1:
            raise ValueError(
                "pct_start: expected less than 1, found 1: it would never fall"
            )

    def _at(self, t: Any, xp: Any) -> Any:
        begin = self.pct_start * self.total
        x = xp.progress(t, begin, self.total - begin)
        return xp.between(self.end, self.base, half_cosine(x, xp))

    @property
    def _length(self) -> int:
        return self.total


@dataclass(frozen=True, repr=False)
class WSD(Schedule):
    """Warm-up, stable value, decay (Hu et al. 2024, "MiniCPM", section 4.2).

    In the last `decay_steps` x goes from 0 to 1, and ``base - end`` is multiplied by

    - linear: ``1 - x``
    - cosine: ``(1 + cos(pi x)) / 2``
    - sqrt: ``1 - sqrt(x)`` (Hägele et al. 2024)

    Parameters
    ----------
    base, end : float
        The value after the warm-up, and the last value.  end defaults to 0.
    total, warmup_steps, decay_steps : int
        The number of all steps, of the warm-up and of the decay, all of which may be 0;
        the value stays at base in the steps between.
    shape : {"linear", "cosine", "sqrt"}
        The shape of the decay.  Default linear.
    start, first : float, {0, 1}
        The linear warm-up, as in `Warmup`.  Default 0, 1.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, or warm-up and decay are longer than `total`.

    Examples
    --------
    >>> s = WSD(1.0, total=100, warmup_steps=10, decay_steps=20)
    >>> s(0), s(9), s(80), s(90), s(100)
    (0.1, 1.0, 1.0, 0.5, 0.0)
    """

    base: Finite
    total: MaybeNoSteps
    warmup_steps: MaybeNoSteps
    decay_steps: MaybeNoSteps
    shape: Annotated[
        Literal["linear", "cosine", "sqrt"], choice("linear", "cosine", "sqrt").check
    ] = "linear"
    end: Finite = 0.0
    start: Fraction = 0.0
    first: Annotated[Literal[0, 1], choice(0, 1).check] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_steps + self.decay_steps > self.total:
            raise ValueError(
                "warmup_steps, decay_steps: expected at most total = "
                f"{self.total} together, found {self.warmup_steps} + {self.decay_steps}"
            )

    def _at(self, t: Any, xp: Any) -> Any:
        x = xp.progress(t, self.total - self.decay_steps, self.decay_steps)
        if self.shape == "cosine":
            left = half_cosine(x, xp)
        else:
            left = 1 - (x if self.shape == "linear" else xp.sqrt(x))
        value = xp.between(self.end, self.base, left)
        if self.warmup_steps:
            risen = xp.progress(t + self.first, 0, self.warmup_steps)
            value = value * xp.between(self.start, 1.0, risen)
        return value

    @property
    def _length(self) -> int:
        return self.total


@dataclass(frozen=True, repr=False)
class Noam(Schedule):
    """``factor * model_size^-0.5 * min(s^-0.5, s * warmup_steps^-1.5)``, s = t + 1.

    Vaswani et al. 2017, eq. 3.

    Parameters
    ----------
    model_size : int
        The dimension of the model, d_model.
    warmup_steps : int
        The number of steps of the linear warm-up; 0 is no warm-up.
    factor : float
        Default 1.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> s = Noam(model_size=512, warmup_steps=4000)
    >>> s(0), s(3999)
    (1.746928107421711e-07, 0.0006987712429686843)
    """

    model_size: Steps
    warmup_steps: MaybeNoSteps
    factor: Positive = 1.0

    def _at(self, t: Any, xp: Any) -> Any:
        s = t + 1.0
        value = 1 / xp.sqrt(s)
        if self.warmup_steps:
            value = xp.minimum(value, s * self.warmup_steps**-1.5)
        return self.factor * self.model_size**-0.5 * value

    @property
    def _length(self) -> int:
        return 5 * self.warmup_steps or 1000


@dataclass(frozen=True, repr=False)
class Rex(Schedule):
    """``end + (base - end) (1 - z) / (1/2 + (1 - z) / 2)``, z = min(t / total, 1).

    Chen et al. 2021, "REX: Revisiting Budgeted Training with an Improved Schedule".

    Parameters
    ----------
    base, end : float
        The first and the last value.  end defaults to 0.
    total : int
        The number of steps from base to end; 0 as in `Cosine`.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain.

    Examples
    --------
    >>> s = Rex(1.0, total=100)
    >>> s(0), s(50), s(100)
    (1.0, 0.6666666666666666, 0.0)
    """

    base: Finite
    total: MaybeNoSteps
    end: Finite = 0.0

    def _at(self, t: Any, xp: Any) -> Any:
        left = 1 - xp.progress(t, 0, self.total)
        return xp.between(self.end, self.base, left / (0.5 + 0.5 * left))

    @property
    def _length(self) -> int:
        return self.total


@dataclass(frozen=True, repr=False)
class Tanh(Schedule):
    """``end + (base - end) (1 - tanh(low + (high - low) z)) / 2``.

    z = min(t / total, 1).
    Hsueh et al. 2019, "Stochastic Gradient Descent with Hyperbolic-Tangent Decay".

    Parameters
    ----------
    base, end : float
        The values that it falls from and to, approximately.  end defaults to 0.
    total : int
        The number of steps from base to end; 0 as in `Cosine`.
    low, high : float
        The interval of the hyperbolic tangent, low < high.  Default -6, 3.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its domain, or `low` is not below `high`.

    Examples
    --------
    >>> Tanh(1.0, total=90)(60)  # tanh(0)
    0.5
    """

    base: Finite
    total: MaybeNoSteps
    low: Finite = -6.0
    high: Finite = 3.0
    end: Finite = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low >= self.high:
            raise ValueError(
                f"low: expected less than high = {self.high}, found {self.low}"
            )

    def _at(self, t: Any, xp: Any) -> Any:
        x = xp.between(self.low, self.high, xp.progress(t, 0, self.total))
        return xp.between(self.end, self.base, (1 - xp.tanh(x)) * 0.5)

    @property
    def _length(self) -> int:
        return self.total
