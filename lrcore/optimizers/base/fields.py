"""The fields of an optimizer: the full definition of each hyper-parameter."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY
from inspect import get_annotations
from typing import Any, Generic, Self, TypeVar, overload

from lrcore._core import Commit
from lrcore._shared.domains import Domain, Reals, is_schedule, takes_step
from lrcore._shared.words import listed, shown

__all__ = ["KW_ONLY", "Bound", "Count", "Field", "Fixed", "Flag", "Number", "Pair",
           "Rate", "Scheduled", "Triple"]  # fmt: skip

Value = TypeVar("Value")
"""The type of the optimizer's attribute."""

Given = TypeVar("Given")
"""The type that the constructor and the attribute accept."""

_AS_BEFORE: Any = object()


class Field(Generic[Value, Given]):
    """A hyper-parameter, as the body of a class declares it.

    ::

        eps: Number = Field(1e-8, NONNEGATIVE, "Added to the root.", keras=1e-7)

    Fields are the arguments of the constructor in order, those of the parents first;
    those after ``_: KW_ONLY`` are keyword-only.  A field that overrides one of a parent
    keeps its place.  As an attribute of an optimizer, a field is the first group's
    value at the next step; setting it sets the value of all groups.

    default : the value if neither the caller nor a convention sets one.
    domain : the allowed values; for a tuple, the domain of each element.
    doc : its description; the docstring adds type, domain and default.
    fixed : whether it takes no schedule.
    initial : whether it is used only at construction and cannot be set later.
    presets : the defaults of conventions, if they differ.
    """

    of_all = False
    """Whether it belongs to the whole optimizer; other fields belong to a group."""

    also = ""
    """What it takes besides the values of its domain, for docs and errors, or ""."""

    __slots__ = ("default", "doc", "domain", "fixed", "initial", "name", "presets")

    def __init__(
        self,
        default: Any,
        domain: Domain | tuple[Domain, ...],
        doc: str,
        *,
        fixed: bool = False,
        initial: bool = False,
        **presets: Any,
    ) -> None:
        self.default = default
        self.domain = domain
        self.doc = doc
        self.fixed = fixed or initial or not isinstance(domain, (Reals, tuple))
        self.initial = initial
        self.presets: Mapping[str, Any] = presets
        self.name = ""

    def but(
        self,
        default: Any = _AS_BEFORE,
        domain: Domain | tuple[Domain, ...] | None = None,
        doc: str | None = None,
        **presets: Any,
    ) -> Self:
        """Return the field with some of its parts replaced, or with further presets."""
        return type(self)(
            self.default if default is _AS_BEFORE else default,
            self.domain if domain is None else domain,
            self.doc if doc is None else doc,
            fixed=self.fixed,
            initial=self.initial,
            **{**self.presets, **presets},
        )

    def __set_name__(self, kind: type, name: str) -> None:
        if self.name not in ("", name):
            raise TypeError(
                f"{name}: its field is {self.name}'s; take {self.name}.but()"
            )
        self.name = name
        self.default = self._checked(self.default)
        self.presets = {k: self._checked(v) for k, v in self.presets.items()}

    @overload
    def __get__(self, opt: None, kind: type) -> Self: ...
    @overload
    def __get__(self, opt: Any, kind: type) -> Value: ...
    def __get__(self, opt: Any, kind: type) -> Any:
        return self if opt is None else opt.param_groups[0].at(self.name, opt.t)

    def __set__(self, opt: Any, value: Given) -> None:
        commit = Commit(opt._plan.lock)
        for group in opt.param_groups:
            group.change(commit, self.name, value)
        commit.make()

    def check(self, value: Any) -> Any:
        """Return the value as a float, an int, a tuple of floats, None or a bool.

        Schedules pass unchanged: their values are checked at each step.

        Raises
        ------
        TypeError, ValueError
            It has a wrong type or is outside the domain.
        """
        return value if value is self.default else self._checked(value)

    def _checked(self, value: Any) -> Any:
        name, domain = self.name, self.domain
        if isinstance(domain, Domain):
            check = domain.check if self.fixed else domain.or_schedule
            return check(name, value)
        if is_schedule(value):
            takes_step(name, value)
            return value
        try:
            values = tuple(value)
        except TypeError:
            values = ()
        if len(values) != len(domain):
            also = self.also and f", or a {self.also}"
            raise ValueError(
                f"{name}: expected {len(domain)} numbers{also}, found {shown(value)}"
            )
        return tuple(
            d.or_schedule(f"{name}[{i}]", v)
            for i, (v, d) in enumerate(zip(values, domain, strict=True))
        )

    def is_default(self, value: Any) -> bool:
        """Whether a value that `check` has passed is the default."""
        default = self.default
        return value is default or (type(value) is type(default) and value == default)


Scheduled = float | Callable[[int], float]
"""A number, or a schedule: any callable that takes the step and returns one."""


class Rate(Field[float, Scheduled]):
    """The learning rate: to set one for groups with different rates gives a warning."""

    __slots__ = ()

    def __set__(self, opt: Any, value: Scheduled) -> None:
        before = [group[self.name] for group in opt.param_groups]
        super().__set__(opt, value)
        if any(rate is not before[0] and rate != before[0] for rate in before):
            warnings.warn(
                f"{self.name}: {len(before)} groups with different rates "
                f"({listed(before)}) now have the same one, {shown(value)}.  To keep "
                "their ratios, use opt.multiply_lr(factor), or "
                "ReduceOnPlateau.attach(opt); to set one group's, "
                f"opt.param_groups[0][{self.name!r}] = ...",
                stacklevel=2,
            )


Number = Field[float, Scheduled]
Fixed = Field[float, float]
Bound = Field[float | None, Scheduled | None]
Flag = Field[bool, bool]
Count = Field[int, int]
Pair = Field[
    tuple[float, float],
    tuple[Scheduled, Scheduled] | Callable[[int], tuple[float, float]],
]
Triple = Field[
    tuple[float, float, float],
    tuple[Scheduled, Scheduled, Scheduled]
    | Callable[[int], tuple[float, float, float]],
]


Fields = Mapping[str, Field[Any, Any]]


def told(values: Mapping[str, Any], fields: Fields) -> str:
    """Return the values that differ from the defaults, as a caller would write them."""
    given = {k: v for k, v in values.items() if not fields[k].is_default(v)}
    return ", ".join(f"{name}={value!r}" for name, value in given.items())


def collected(cls: type) -> tuple[Fields, tuple[str, ...]]:
    """Return the fields of a class by name, and the names of the positional ones."""
    fields: dict[str, Field[Any, Any]] = {}
    positional: dict[str, None] = {}
    for base in cls.__bases__:
        fields = {**fields, **getattr(base, "_fields", {}), **fields}
        positional |= dict.fromkeys(getattr(base, "_positional", ()))
    own = {name: f for name, f in vars(cls).items() if isinstance(f, Field)}
    names = [*get_annotations(cls)]
    by_keyword = names[names.index("_") :] if "_" in names else []
    positional |= dict.fromkeys(own)
    return {**fields, **own}, tuple(n for n in positional if n not in by_keyword)
