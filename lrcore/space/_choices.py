"""Choices among values, and tuples of dimensions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore._shared.words import shown
from lrcore.space._dimension import Dimension

if TYPE_CHECKING:
    from optuna.trial import Trial


@dataclass(frozen=True)
class Choice(Dimension):
    """One of several values, without an order.

    Parameters
    ----------
    *values : str, float, int, bool or None
        At least one, each once.

    Raises
    ------
    TypeError, ValueError
        There is no value, a value comes twice, or has another type.  For other types,
        use names, and look them up in the objective.

    Examples
    --------
    >>> lrcore.space.Choice("relu", "tanh").points(5)
    ['relu', 'tanh']
    """

    values: tuple[str | float | int | bool | None, ...]

    def __init__(self, *values: str | float | int | bool | None) -> None:
        if not values:
            raise ValueError("values: expected at least one, found none")
        plain = [v.item() if isinstance(v, np.generic) else v for v in values]
        before = set()
        for i, value in enumerate(plain):
            if value is not None and not isinstance(value, (str, int, float)):
                raise TypeError(
                    f"values[{i}]: expected a string, a number, a bool or None, found "
                    f"{shown(value)}; name it by a string, and look it up in the "
                    "objective"
                )
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(
                    f"values[{i}]: expected a finite number, found {value}"
                )
            if value in before:
                raise ValueError(
                    f"values[{i}]: expected each once, found {shown(value)}"
                )
            before.add(value)
        object.__setattr__(self, "values", tuple(plain))

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.values))})"

    def keys(self, name: str) -> tuple[str, ...]:
        return (name,)

    def suggest(self, name: str, trial: Trial) -> Any:
        return trial.suggest_categorical(name, self.values)

    def read(self, name: str, raw: Mapping[str, Any]) -> Any:
        return raw[name]

    def write(self, name: str, value: Any) -> dict[str, Any]:
        return {name: value}

    def points(self, count: int) -> list[Any]:
        """Return all values, whatever the count."""
        return list(self.values)


@dataclass(frozen=True)
class Tuple(Dimension):
    """Several dimensions: their values make one tuple.

    Parameters
    ----------
    *parts : Dimension
        At least one.

    Raises
    ------
    TypeError, ValueError
        There is no part, or a part is no dimension.

    Examples
    --------
    >>> lrcore.space.Tuple(lrcore.space.Real(0, 1), lrcore.space.Choice("a")).points(2)
    [(0.0, 'a'), (1.0, 'a')]
    """

    parts: tuple[Dimension, ...]

    def __init__(self, *parts: Dimension) -> None:
        if not parts:
            raise ValueError("parts: expected at least one dimension, found none")
        for i, part in enumerate(parts):
            if not isinstance(part, Dimension):
                raise TypeError(
                    f"parts[{i}]: expected a dimension, found {shown(part)}"
                )
        object.__setattr__(self, "parts", parts)

    def __repr__(self) -> str:
        return f"Tuple({', '.join(map(repr, self.parts))})"

    def _named(self, name: str) -> list[tuple[str, Dimension]]:
        return [(f"{name}[{i}]", part) for i, part in enumerate(self.parts)]

    def keys(self, name: str) -> tuple[str, ...]:
        return tuple(key for own, part in self._named(name) for key in part.keys(own))

    def suggest(self, name: str, trial: Trial) -> Any:
        return tuple(part.suggest(own, trial) for own, part in self._named(name))

    def read(self, name: str, raw: Mapping[str, Any]) -> Any:
        return tuple(part.read(own, raw) for own, part in self._named(name))

    def write(self, name: str, value: Any) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for (own, part), element in zip(self._named(name), value, strict=True):
            written |= part.write(own, element)
        return written

    def points(self, count: int) -> list[Any]:
        """Return all combinations of at most `count` values of each element."""
        return list(product(*(part.points(count) for part in self.parts)))
