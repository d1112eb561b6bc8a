"""The schedule: a pure function of the step, and a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_type_hints, overload

import numpy as np

from lrcore._shared.domains import real
from lrcore._shared.types import Array
from lrcore._shared.words import listed, shortened, shown
from lrcore.schedules._composition import Composition
from lrcore.schedules._formulas import ARRAYS, NUMBERS
from lrcore.schedules._parameters import Check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Schedule"]

# A formula is evaluated for so many elements at a time, whose intermediate results fit
# in the cache.
_BLOCK = 8192
_FOREVER = 2.0**63


class Schedule(Composition, ABC):
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

    _known: ClassVar[dict[str, type[Schedule]]] = {}  # by their `_name`
    _name: ClassVar[str]
    _renamed: ClassVar[Mapping[str, str]] = {}  # old names of parameters

    def __init_subclass__(cls) -> None:
        if "__init__" in vars(cls) and not is_dataclass(cls):
            raise _no_dataclass(cls)
        own = cls.__module__.startswith(f"{__package__}.")
        cls._name = cls.__name__ if own else f"{cls.__module__}.{cls.__qualname__}"
        Schedule._known[cls._name] = cls

    def __new__(cls, *_: Any, **__: Any) -> Self:
        if not is_dataclass(cls):
            raise _no_dataclass(cls)
        return super().__new__(cls)

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
        TypeError, ValueError
            A step is negative or NaN, or the formula gives no number.
        """
        if isinstance(t, np.ndarray):
            return self._of_array(t)
        if type(t) is not int and type(t) is not float:  # NumPy's have narrow ranges
            t = real("t", t, "a step >= 0, or an array of them")
        if not 0 <= t < _FOREVER:
            raise ValueError(f"t: expected a step >= 0, found {shown(t)}")
        value = self._at(t, NUMBERS)
        return value if type(value) is float else self._number(value)

    def _number(self, value: Any) -> float:
        """Return a value of the formula as a float, an infinity for a huge int."""
        return real(shown(self), value, "_at to return a number")

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
                of_block = self._at(steps, ARRAYS)
                if of_block is None:  # which NumPy would take for NaN
                    self._number(of_block)
                out[block] = of_block
        return values

    @abstractmethod
    def _at(self, t: Any, xp: Any) -> Any:
        """Evaluate the formula, with functions of xp: ARRAYS or NUMBERS."""

    @property
    def _length(self) -> int:
        """A number of steps that shows its shape."""
        return 1000

    # --- as a value ----------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in _fields(self)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._shown())})"

    def _shown(self) -> list[str]:
        given = ((f, getattr(self, f.name)) for f in _fields(self))
        return [f"{f.name}={value!r}" for f, value in given if value != f.default]

    def to_dict(self) -> dict[str, Any]:
        """Return a dict for JSON, of its class as ``"schedule"`` and its parameters.

        Examples
        --------
        >>> from lrcore.schedules import Exponential, Schedule
        >>> d = Exponential(0.1, gamma=0.9).to_dict()
        >>> d["schedule"], d["gamma"]
        ('Exponential', 0.9)
        >>> Schedule.from_dict(d)
        Exponential(base=0.1, gamma=0.9)
        """
        parameters = {f.name: _plain(getattr(self, f.name)) for f in _fields(self)}
        return {"schedule": self._name, **parameters}

    @staticmethod
    def from_dict(saved: Mapping[str, Any]) -> Schedule:
        """Return the schedule that gave this ``to_dict()``.

        Raises
        ------
        TypeError, ValueError
            It is no such dict, or a parameter is out of its domain.
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
        if not is_dataclass(kind):
            raise _no_dataclass(kind)
        given = {name: _revived(saved[name]) for name in saved if name != "schedule"}
        known = [f.name for f in fields(kind)]
        taken = {*known, *kind._renamed}
        if unknown := [name for name in given if name not in taken]:
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


def _fields(schedule: Schedule | type[Schedule]) -> tuple[Field[Any], ...]:
    """Return the dataclass fields of a schedule."""
    return fields(schedule)  # type: ignore[arg-type] # every child is a dataclass


def _no_dataclass(cls: type) -> TypeError:
    return TypeError(
        f"{shortened(cls.__name__)}: expected a dataclass, found another subclass of "
        "Schedule; write @dataclass(frozen=True, repr=False) above it, and its "
        "parameters as fields (base: float) instead of an __init__"
    )


@cache
def _checks(cls: type[Schedule]) -> dict[str, Check]:
    """Return the checks in the annotations of the parameters, where there are some."""
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError:  # a user's class may import types for checkers only
        return {}
    annotated = {f.name: hints[f.name] for f in _fields(cls)}
    return {
        name: hint.__metadata__[0]
        for name, hint in annotated.items()
        if hasattr(hint, "__metadata__")
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.to_dict()
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _revived(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Schedule.from_dict(value)
    return tuple(map(_revived, value)) if isinstance(value, list) else value
