"""The schedule, and what composes schedules."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from os import PathLike
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    get_type_hints,
    overload,
)  # fmt: skip

import numpy as np

from lrcore._shared.domains import FINITE, choice, real
from lrcore._shared.sums import in_order
from lrcore._shared.types import Array
from lrcore._shared.words import listed, shortened, shown
from lrcore.schedules._formulas import ARRAYS, NUMBERS, between
from lrcore.schedules._parameters import (
    STEPS,
    Check,
    Finite,
    Flag,
    Fraction,
    Steps,
    rising,
    several,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Clamp", "Constant", "Join", "PerEpoch", "Product", "Schedule", "Sum",
           "Warmup", "join"]  # fmt: skip

# Elements that a formula takes at a time: what it makes on the way stays in the cache.
_BLOCK = 8192
_FOREVER = 2.0**63


class Schedule(ABC):
    """A pure function of the step; see the module.

    One of your own is a frozen dataclass of this class with the method ``_at(t, xp)``,
    which takes functions from xp, so that it works for arrays too: ceil, cos, exp,
    floor, log, maximum, minimum, power, sqrt, tanh, ``where(condition, a, b)``.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, repr=False)
    ... class Sqrt(Schedule):
    ...     base: float
    ...     def _at(self, t, xp):
    ...         return self.base * xp.sqrt(t)
    >>> 2 * Sqrt(0.5)
    Product(factors=(Constant(base=2.0), Sqrt(base=0.5)))
    >>> (2 * Sqrt(0.5)).warmup(2)(6)
    2.0
    """

    __array_ufunc__ = None  # array * schedule is an error, no array of products

    _known: ClassVar[dict[str, type[Schedule]]] = {}
    _name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        own = cls.__module__.startswith(f"{__package__}.")
        cls._name = cls.__name__ if own else f"{cls.__module__}.{cls.__qualname__}"
        Schedule._known[cls._name] = cls

    def __post_init__(self) -> None:
        for name, check in _checks(type(self)).items():
            object.__setattr__(self, name, check(name, getattr(self, name)))

    @overload
    def __call__(self, t: int | float) -> float: ...
    @overload
    def __call__(self, t: Array) -> Array: ...
    def __call__(self, t: Any) -> Any:
        """Return the value after t steps; t is a number or an array, at least 0.

        Raises
        ------
        ValueError
            A step is negative or NaN.
        """
        if isinstance(t, np.ndarray):
            return self._of_array(t)
        if type(t) is not int and type(t) is not float:  # NumPy's have narrow ranges
            t = real("t", t, "a step >= 0, or an array of them")
        if not 0 <= t < _FOREVER:
            raise ValueError(f"t: expected a step >= 0, found {shown(t)}")
        return float(self._at(t, NUMBERS))

    def _of_array(self, t: Array) -> Array:
        if t.dtype.kind not in "iuf":
            raise TypeError(
                "t: expected an array of numbers, found one of "
                f"{shortened(str(t.dtype))}"
            )
        values = np.empty(t.shape)
        given, out = t.reshape(-1), values.reshape(-1)
        with np.errstate(over="ignore", under="ignore"):  # as for a number
            for begin in range(0, len(given), _BLOCK):
                block = slice(begin, begin + _BLOCK)
                steps = given[block].astype(np.float64)
                if not 0 <= steps.min() <= steps.max() < _FOREVER:  # NaN is neither
                    raise ValueError(
                        "t: expected steps >= 0, found a smaller one or NaN"
                    )
                out[block] = self._at(steps, ARRAYS)
        return values

    @abstractmethod
    def _at(self, t: Any, xp: Any) -> Any:
        """Evaluate the formula, with functions of xp: ARRAYS, or NUMBERS."""

    @property
    def _length(self) -> int:
        """Steps that show what it does."""
        return 1000

    # --- composition ---------------------------------------------------------------

    def warmup(
        self,
        steps: int,
        start: float = 0.0,
        shape: Literal["linear", "exponential", "log"] = "linear",
        first: Literal[0, 1] = 1,
    ) -> Warmup:
        """Rise to this schedule's first value, then follow it: see `Warmup`.

        All of it follows, later: a run of 300 steps with a warm-up of 20 has room for a
        schedule of 280.
        """
        return Warmup(steps, self, start, shape, first)

    def then(self, at: int, other: Schedule | float) -> Join:
        """Follow this schedule up to step `at`, and the other from there on.

        The other counts from its own start; a number is a constant.
        """
        if not callable(other):
            other = Constant(FINITE.check("other", other))
        return Join((self, _schedule("other", other)), (at,))

    def scale(self, factor: float) -> Product:
        """Multiply by a number: ``factor * self``."""
        return Product((Constant(FINITE.check("factor", factor)), self))

    def clamp(self, low: float | None = None, high: float | None = None) -> Clamp:
        """Go no lower and no higher."""
        return Clamp(self, low, high)

    def per_epoch(self, steps_per_epoch: int, fractional: bool = False) -> PerEpoch:
        """Count its steps in epochs: see `PerEpoch`."""
        return PerEpoch(
            self, STEPS.check("steps_per_epoch", steps_per_epoch), fractional
        )

    def __add__(self, other: Schedule | float) -> Sum:
        return _combined(Sum, self, other)

    def __radd__(self, other: float) -> Sum:
        return _combined(Sum, other, self)

    def __mul__(self, other: Schedule | float) -> Product:
        return _combined(Product, self, other)

    def __rmul__(self, other: float) -> Product:
        return _combined(Product, other, self)

    def __neg__(self) -> Product:
        return -1 * self

    def __sub__(self, other: Schedule | float) -> Sum:
        return self + -other

    def __rsub__(self, other: float) -> Sum:
        return other + -self

    # --- as a value ----------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._shown())})"

    def _shown(self) -> list[str]:
        given = ((f, getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]
        return [f"{f.name}={value!r}" for f, value in given if value != f.default]

    def to_dict(self) -> dict[str, Any]:
        """Return it in what JSON has: its class as ``"schedule"``, its parameters.

        Examples
        --------
        >>> from lrcore.schedules import Exponential, Schedule
        >>> d = Exponential(0.1, gamma=0.9).to_dict()
        >>> d["schedule"], d["gamma"]
        ('Exponential', 0.9)
        >>> Schedule.from_dict(d)
        Exponential(base=0.1, gamma=0.9)
        """
        parameters = {
            f.name: _plain(getattr(self, f.name))
            for f in fields(self)  # type: ignore[arg-type]
        }
        return {"schedule": self._name, **parameters}

    @staticmethod
    def from_dict(saved: Mapping[str, Any]) -> Schedule:
        """Return the schedule that gave this ``to_dict()``.

        Raises
        ------
        TypeError, ValueError
            It is no such dict, or a parameter cannot be.
        """
        if not isinstance(saved, Mapping) or not isinstance(saved.get("schedule"), str):
            raise TypeError(
                f"saved: expected a schedule's to_dict(), found {shown(saved)}"
            )
        kind = Schedule._known.get(saved["schedule"])
        if kind is None:
            raise ValueError(
                f"schedule: found an unknown one, {shown(saved['schedule'])}"
            )
        given = {name: _revived(saved[name]) for name in saved if name != "schedule"}
        known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
        if unknown := [name for name in given if name not in known]:
            raise ValueError(
                f"{shortened(kind.__name__)}: expected parameters of {known}, found "
                f"[{listed(unknown)}]"
            )
        return kind(**given)

    def plot(
        self, path: str | PathLike[str] | None = None, steps: int | None = None
    ) -> Figure:
        """Draw it, into a file or for a notebook: see `lrcore.plots.schedules`."""
        from lrcore.schedules import _curves

        if steps is None:
            steps = self._length * 11 // 10 + 1
        t = _curves.steps_drawn(steps, path)
        return _curves.draw(t, {"": self(t)}, path, _curves.title(self))


@cache
def _checks(cls: type[Schedule]) -> dict[str, Check]:
    """Return what is annotated to the parameters, as far as something is."""
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError:  # of a class elsewhere, which imports types for checkers only
        return {}
    annotated = {f.name: hints[f.name] for f in fields(cls)}  # type: ignore[arg-type]
    return {
        name: hint.__metadata__[0]
        for name, hint in annotated.items()
        if hasattr(hint, "__metadata__")
    }


def _schedule(name: str, value: Any) -> Schedule:
    if not isinstance(value, Schedule):
        raise TypeError(
            f"{name}: expected a schedule of this module, found {shown(value)}"
        )
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.to_dict()
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _revived(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Schedule.from_dict(value)
    return tuple(map(_revived, value)) if isinstance(value, list) else value


Inner = Annotated[Schedule, _schedule]
Several = Annotated[tuple[Schedule, ...], several(_schedule)]
Bound = Annotated[float | None, FINITE.or_none().check]
Composed = TypeVar("Composed", "Sum", "Product")


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """``base``.

    Examples
    --------
    >>> Constant(0.1)(7)
    0.1
    """

    base: Finite

    def _at(self, t: Any, xp: Any) -> Any:
        return self.base

    @property
    def _length(self) -> int:
        return 1


@dataclass(frozen=True, repr=False)
class Warmup(Schedule):
    """Rise to ``after(0)`` over the first steps, then follow ``after(t - steps)``.

    With ``x = (t + first) / steps``, after(0) is multiplied by

    - linear: ``start + (1 - start) x``
    - exponential: ``start^(1 - x)``
    - log: ``start + (1 - start) log(t + 1) / log(steps)`` (DeepSpeed's WarmupLR)

    Parameters
    ----------
    steps : int
        Of the warm-up.
    after : Schedule
        What follows, counting from its own start.
    start : float
        The factor at x = 0, from 0 to 1; above 0 for an exponential one.  Default 0.
    shape : {"linear", "exponential", "log"}
        Default linear.
    first : {0, 1}
        With 1, the default, the first step is not wasted on the rate `start`, and the
        last of the warm-up reaches after(0).  With 0, as in torch, Keras, optax and
        transformers, the first step takes `start`, and the step after the warm-up is
        the first to reach it.

    Examples
    --------
    >>> s = Warmup(4, Constant(1.0))
    >>> s(0), s(3), s(4)
    (0.25, 1.0, 1.0)
    >>> s = Constant(1.0).warmup(2, start=0.01, shape="exponential", first=0)
    >>> s(0), s(1), s(2)
    (0.01, 0.1, 1.0)
    """

    steps: Steps
    after: Inner
    start: Fraction = 0.0
    shape: Annotated[
        Literal["linear", "exponential", "log"],
        choice("linear", "exponential", "log").check,
    ] = "linear"
    first: Annotated[Literal[0, 1], choice(0, 1).check] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape == "exponential" and self.start == 0:
            raise ValueError("start: expected a factor > 0 to rise from, found 0")
        if self.shape == "log" and (self.first == 0 or self.steps == 1):
            raise ValueError(
                "shape: a log warm-up takes first=1 and at least 2 steps, found "
                f"first={self.first} and steps={self.steps}"
            )

    def _at(self, t: Any, xp: Any) -> Any:
        passed = xp.count((self.steps,), t)
        if type(passed) is int and passed:
            return self.after._at(t - self.steps, xp)
        rising = self._factor(t, xp) * self._first
        if type(passed) is int:
            return rising
        after = self.after._at(xp.maximum(t - self.steps, 0), xp)
        return xp.where(passed, after, rising)

    @cached_property
    def _first(self) -> float:
        return self.after(0)

    def _factor(self, t: Any, xp: Any) -> Any:
        if self.shape == "log":
            return between(self.start, 1.0, xp.log(t + 1.0) / math.log(self.steps))
        x = (t + self.first) / self.steps
        if self.shape == "linear":
            return between(self.start, 1.0, x)
        return xp.power(self.start, 1 - x)

    @property
    def _length(self) -> int:
        return self.steps + self.after._length


@dataclass(frozen=True, repr=False)
class Join(Schedule):
    """One schedule after another, each counting from its own start.

    ``schedules[k](t - at[k-1])`` from step ``at[k-1]`` until ``at[k]``.

    Examples
    --------
    >>> s = Join((Constant(1.0), Constant(0.5).warmup(5)), at=(5,))
    >>> s(4), s(5), s(9)
    (1.0, 0.1, 0.5)
    >>> s == Constant(1.0).then(5, Constant(0.5).warmup(5))
    True
    """

    schedules: Several
    at: Annotated[tuple[int, ...], several(STEPS.check)]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.schedules) != len(self.at) + 1:
            raise ValueError(
                f"at: expected {len(self.schedules) - 1} steps for "
                f"{len(self.schedules)} schedules, found {len(self.at)}"
            )
        rising("at", self.at)

    def _at(self, t: Any, xp: Any) -> Any:
        begins = (0, *self.at)
        k = xp.count(self.at, t)
        if type(k) is int:
            return self.schedules[k]._at(t - begins[k], xp)
        value: Any = math.nan
        for i in range(k.min(), k.max() + 1):
            here = self.schedules[i]._at(xp.maximum(t - begins[i], 0), xp)
            value = xp.where(t >= begins[i], here, value)
        return value

    @property
    def _length(self) -> int:
        return self.at[-1] + self.schedules[-1]._length


def join(schedules: Sequence[Schedule], at: Sequence[int]) -> Join:
    """Put schedules one after another: ``Join(schedules, at)``."""
    return Join(schedules, at)  # type: ignore[arg-type] # which makes tuples of them


@dataclass(frozen=True, repr=False)
class Sum(Schedule):
    """The sum of schedules: ``a + b``, ``1 - a``.

    Examples
    --------
    >>> (1 - Constant(0.25))(0)
    0.75
    """

    terms: Several

    def _at(self, t: Any, xp: Any) -> Any:
        first, *others = (s._at(t, xp) for s in self.terms)
        return in_order(others, first)

    @property
    def _length(self) -> int:
        return max(s._length for s in self.terms)


@dataclass(frozen=True, repr=False)
class Product(Schedule):
    """The product of schedules: ``a * b``, ``2 * a``; of two, what torch calls chained.

    Examples
    --------
    >>> (2 * Constant(0.25))(0)
    0.5
    """

    factors: Several

    def _at(self, t: Any, xp: Any) -> Any:
        return math.prod(s._at(t, xp) for s in self.factors)

    @property
    def _length(self) -> int:
        return max(s._length for s in self.factors)


@dataclass(frozen=True, repr=False)
class Clamp(Schedule):
    """``min(max(of(t), low), high)``; None bounds nothing.

    Examples
    --------
    >>> Constant(0.1).clamp(low=0.2)(0)
    0.2
    """

    of: Inner
    low: Bound = None
    high: Bound = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if None not in (self.low, self.high) and self.low > self.high:  # type: ignore[operator]
            raise ValueError(
                f"low: expected at most high = {self.high}, found {self.low}"
            )

    def _at(self, t: Any, xp: Any) -> Any:
        value = self.of._at(t, xp)
        if self.low is not None:
            value = xp.maximum(value, self.low)
        return value if self.high is None else xp.minimum(value, self.high)

    @property
    def _length(self) -> int:
        return self.of._length


@dataclass(frozen=True, repr=False)
class PerEpoch(Schedule):
    """A schedule that counts epochs: ``of(t // steps)``.

    Parameters
    ----------
    of : Schedule
        Of the epoch.
    steps : int
        Of an epoch.
    fractional : bool
        ``of(t / steps)``: it moves within the epoch too.  Default False.

    Examples
    --------
    >>> s = Constant(1.0).then(2, Constant(0.1)).per_epoch(100)
    >>> s(199), s(200)
    (1.0, 0.1)
    """

    of: Inner
    steps: Steps
    fractional: Flag = False

    def _at(self, t: Any, xp: Any) -> Any:
        epoch = t / self.steps
        return self.of._at(epoch if self.fractional else xp.floor(epoch), xp)

    @property
    def _length(self) -> int:
        return self.steps * self.of._length


def _combined(kind: type[Composed], a: Any, b: Any) -> Composed:
    """Return a sum or product of a and b; a sum of sums is one, a number a constant."""
    parts: list[Schedule] = []
    for part in (a, b):
        if isinstance(part, kind):
            parts += getattr(part, fields(kind)[0].name)
        elif isinstance(part, Schedule):
            parts.append(part)
        else:
            try:
                parts.append(Constant(part))
            except TypeError:
                return NotImplemented  # type: ignore[no-any-return]
    return kind(tuple(parts))
