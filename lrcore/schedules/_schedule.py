"""The schedule: a pure function of the step, and a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache, cached_property
from inspect import signature
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_type_hints

from lrcore._shared.domains import FINITE
from lrcore._shared.words import listed, shortened, shown
from lrcore.schedules._evaluated import Evaluated
from lrcore.schedules._keywords import check_keywords
from lrcore.schedules._parameters import STEPS, Check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Schedule"]

Operand = Callable[[Any], Any] | float
"""A schedule, another function of the step, or a number, which is a constant."""


class Makers:
    """The functions that make schedules of schedules, for the methods of `Schedule`.

    The results are of subclasses, and the modules of these set the functions.
    """

    add: Callable[[Operand, Operand], Schedule]
    clamp: Callable[..., Schedule]
    divide: Callable[[Schedule, float], Schedule]
    multiply: Callable[[Operand, Operand], Schedule]
    per_epoch: Callable[..., Schedule]
    subtract: Callable[[Operand, Operand], Schedule]
    then: Callable[[Schedule, int, Operand], Schedule]
    warmup: Callable[..., Schedule]


MAKERS = Makers()

DEEPEST = 100
"""The most schedules within each other, as repr, comparing and saving recurse."""


class Schedule(Evaluated):
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

    def __new__(cls, *_: Any, **given: Any) -> Self:
        if cls is Schedule:
            raise TypeError(
                "Schedule: the base of all schedules; make one of them, such as "
                "Cosine(0.1, total=1000), or a subclass with a formula of its own"
            )
        if not is_dataclass(cls):
            raise _no_dataclass(cls)
        if given.keys() - cls.__dataclass_fields__.keys():
            parameters = signature(cls).parameters
            check_keywords(cls.__name__, given, parameters, cls._renamed)
        return super().__new__(cls)

    def __setstate__(self, saved: Mapping[str, Any]) -> None:
        """Restore a pickle, in which parameters may have old names."""
        for name, value in saved.items():
            object.__setattr__(self, self._renamed.get(name, name), value)

    def __post_init__(self) -> None:
        for name, check in _checks(type(self)).items():
            object.__setattr__(self, name, check(name, getattr(self, name)))

    # --- schedules made of it ------------------------------------------------------

    def warmup(
        self,
        steps: int,
        start: float = 0.0,
        shape: Literal["linear", "exponential", "log"] = "linear",
        first: Literal[0, 1] = 1,
    ) -> Schedule:
        """Rise to this schedule's first value, then follow it: see `Warmup`.

        This schedule begins after the warm-up: a run of 300 steps with a warm-up of 20
        has room for a schedule of 280.  A warm-up of 0 steps changes nothing.
        """
        return MAKERS.warmup(steps, self, start, shape, first)

    def then(self, at: int, other: Operand) -> Schedule:
        """Follow this schedule up to step `at`, and the other from there on.

        The other counts from its own start.  It is a schedule, another function of the
        step, or a number, which is a constant.  ``a.then(5, b).then(9, c)`` is one
        join of three.
        """
        return MAKERS.then(self, at, other)

    def scale(self, factor: float) -> Schedule:
        """Multiply by a number: ``factor * self``."""
        number: float = FINITE.check("factor", factor)
        return number * self

    def clamp(self, low: float | None = None, high: float | None = None) -> Schedule:
        """Go no lower and no higher."""
        return MAKERS.clamp(self, low, high)

    def per_epoch(self, steps_per_epoch: int, fractional: bool = False) -> Schedule:
        """Count its steps in epochs: see `PerEpoch`."""
        steps = STEPS.check("steps_per_epoch", steps_per_epoch)
        return MAKERS.per_epoch(self, steps, fractional)

    def __add__(self, other: Operand) -> Schedule:
        return _operated(MAKERS.add, self, other)

    def __radd__(self, other: Operand) -> Schedule:
        return _operated(MAKERS.add, other, self)

    def __sub__(self, other: Operand) -> Schedule:
        return _operated(MAKERS.subtract, self, other)

    def __rsub__(self, other: Operand) -> Schedule:
        return _operated(MAKERS.subtract, other, self)

    def __mul__(self, other: Operand) -> Schedule:
        return _operated(MAKERS.multiply, self, other)

    def __rmul__(self, other: Operand) -> Schedule:
        return _operated(MAKERS.multiply, other, self)

    def __truediv__(self, other: float) -> Schedule:
        return _operated(MAKERS.divide, self, other)

    def __neg__(self) -> Schedule:
        return -1 * self

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
            It is not from ``to_dict()``, or a parameter is out of its domain.
        """
        return _from_dict(saved, 2 * DEEPEST)

    @cached_property
    def _depth(self) -> int:
        """The most schedules within each other, itself included."""
        values = (getattr(self, f.name) for f in _fields(self))
        held = (v if isinstance(v, tuple) else (v,) for v in values)
        depths = (s._depth for each in held for s in each if isinstance(s, Schedule))
        return 1 + max(depths, default=0)

    # --- its picture ---------------------------------------------------------------

    def plot(
        self, path: str | PathLike[str] | None = None, steps: int | None = None
    ) -> Figure:
        """Draw it, into a file or for a notebook: see `lrcore.plots.schedules`."""
        from lrcore.schedules import _curves

        if steps is None:
            steps = self._shown_steps
        t = _curves.steps_drawn(steps, path)
        return _curves.draw(t, {"": self(t)}, path, _curves.title(self))

    @property
    def _shown_steps(self) -> int:
        """A number of steps that shows its shape, and what comes after it."""
        return self._length * 11 // 10 + 1


def _operated(operator: Callable[[Any, Any], Schedule], a: Any, b: Any) -> Schedule:
    """Return a result, or NotImplemented for operands of other types."""
    try:
        return operator(a, b)
    except TypeError:
        return NotImplemented  # type: ignore[no-any-return] # Python's protocol


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


def _from_dict(saved: Any, room: int) -> Schedule:
    """Return the schedule of a dict.

    room : the most containers within it.
    """
    if not isinstance(saved, Mapping) or not isinstance(saved.get("schedule"), str):
        raise TypeError(f"saved: expected a schedule's to_dict(), found {shown(saved)}")
    kind = Schedule._known.get(saved["schedule"])
    if kind is None:
        raise ValueError(f"schedule: found an unknown one, {shown(saved['schedule'])}")
    if not is_dataclass(kind):
        raise _no_dataclass(kind)
    given = {n: _revived(value, room) for n, value in saved.items() if n != "schedule"}
    known = [f.name for f in fields(kind)]
    taken = {*known, *kind._renamed}
    if unknown := [name for name in given if name not in taken]:
        raise ValueError(
            f"{shortened(kind.__name__)}: expected parameters of {known}, found "
            f"[{listed(unknown)}]"
        )
    return kind(**given)


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.to_dict()
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _revived(value: Any, room: int) -> Any:
    """Return the parameter of a dict; see `_from_dict`."""
    if not isinstance(value, (Mapping, list)):
        return value
    if room == 0:
        raise ValueError(
            f"saved: expected at most {DEEPEST} schedules within each other, found "
            f"more containers than these have, with {shown(value)} in them"
        )
    if isinstance(value, Mapping):
        return _from_dict(value, room - 1)
    return tuple(_revived(each, room - 1) for each in value)
