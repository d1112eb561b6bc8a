"""Dimensions of a search: what `lrcore.tune` may choose, with the usual ranges ready.

A space is a dict of dimensions by name, of these functions, of your own
(:class:`Real`, :class:`Integer`, :class:`Choice`, :class:`Tuple`), or plain lists of
values.  A dimension is a frozen value: comparable, hashable, its ``repr`` evaluates
back to it, and it is checked when it is made.

====================================  ================================================
lr, weight_decay, eps, clip_norm      log-uniform
momentum, betas, ema_decay, decay     so that 1 - value is log-uniform
warmup, label_smoothing, dropout      uniform
final_lr                              log-uniform, as a fraction of the peak
batch_size                            powers of 2
optimizer, schedule                   names
Real, Integer, Choice, Tuple          any other
====================================  ================================================

Examples
--------
>>> from lrcore import space
>>> space.lr()
Real(low=1e-05, high=1.0, scale='log')
>>> space.lr(1e-3, 0.1).points(3)
[0.001, 0.01, 0.1]
>>> space.momentum(0.9, 0.999).points(3)
[0.9, 0.99, 0.999]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from lrcore._shared.domains import real, whole
from lrcore._words import shown
from lrcore.optimizers import available

if TYPE_CHECKING:
    from optuna.trial import Trial

RealScale = Literal["linear", "log", "complement"]
IntegerScale = Literal["linear", "log", "powers of 2"]


class Dimension:
    """What the dimensions have in common.

    In Optuna's studies, and so in its own plots and dashboards, a parameter has the
    dimension's name, but for ``1 - name`` (of a complement), ``log2 name`` (of powers
    of 2) and ``name[0]`` (of a tuple's element), which say what is uniform there.
    """

    def suggest(self, name: str, trial: Trial) -> Any:
        """Return the value that Optuna's sampler proposes in a trial."""
        raise NotImplementedError

    def points(self, count: int) -> list[Any]:
        """Return at most `count` values of a grid, both bounds among them, rising."""
        raise NotImplementedError

    def read(self, name: str, raw: Mapping[str, Any]) -> Any:
        """Return the value that Optuna's parameters stand for."""
        raise NotImplementedError

    def write(self, name: str, value: Any) -> dict[str, Any]:
        """Return the parameters of Optuna that stand for a value."""
        raise NotImplementedError

    def keys(self, name: str) -> tuple[str, ...]:
        """Return the names of those parameters."""
        raise NotImplementedError


@dataclass(frozen=True)
class Real(Dimension):
    """A real number between two bounds, both included.

    ::

        linear:      value       is uniform
        log:         log(value)  is uniform
        complement:  log(1 - value)  is uniform

    Parameters
    ----------
    low, high : float
        Finite, low < high, and so is high - low; both > 0 on the scale "log", and in
        [0, 1) on "complement".
    scale : {"linear", "log", "complement"}
        Default "linear".  "complement" is that of momentum, betas and other decays per
        step, where 0.9, 0.99 and 0.999 are equally far from each other.

    Raises
    ------
    TypeError, ValueError
        No number lies between the bounds, or not on this scale.

    Examples
    --------
    >>> lrcore.space.Real(0, 4).points(3)
    [0.0, 2.0, 4.0]
    """

    low: float
    high: float
    scale: RealScale = "linear"

    def __post_init__(self) -> None:
        one_of("scale", self.scale, get_args(RealScale))
        low = real("low", self.low, "a number")
        high = real("high", self.high, "a number")
        least, most, text = {
            "linear": (-math.inf, math.inf, "finite numbers"),
            "log": (math.ulp(0.0), math.inf, "finite numbers > 0"),
            "complement": (0.0, 1.0, "numbers in [0, 1)"),
        }[self.scale]
        for name, value in (("low", low), ("high", high)):
            if not (least <= value < most and math.isfinite(value)):
                raise ValueError(
                    f"{name}: expected {text} as bounds on the scale {self.scale!r}, "
                    f"found {shown(value)}"
                )
        if not low < high:
            raise ValueError(
                f"high: expected more than low = {low:g}, found {shown(high)}; a fixed "
                f"value is the list [{low:g}]"
            )
        if math.isinf(high - low):
            raise ValueError(
                f"high: expected a finite distance to low = {low:g}, found "
                f"{shown(high)}"
            )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def keys(self, name: str) -> tuple[str, ...]:  # noqa: D102
        return (f"1 - {name}" if self.scale == "complement" else name,)

    def suggest(self, name: str, trial: Trial) -> float:  # noqa: D102
        (key,) = self.keys(name)
        low, high = self.low, self.high
        if self.scale == "complement":
            low, high = 1 - high, 1 - low
        log = self.scale != "linear"
        return self.read(name, {key: trial.suggest_float(key, low, high, log=log)})

    def read(self, name: str, raw: Mapping[str, Any]) -> float:  # noqa: D102
        (key,) = self.keys(name)
        value = float(raw[key])
        if self.scale == "complement":
            value = 1 - value
        return min(max(value, self.low), self.high)

    def write(self, name: str, value: Any) -> dict[str, Any]:  # noqa: D102
        (key,) = self.keys(name)
        return {key: 1 - value if self.scale == "complement" else value}

    def points(self, count: int) -> list[Any]:  # noqa: D102
        whole("count", count, "an int >= 1", least=1)
        if count == 1:
            return [self._middle()]
        if self.scale == "linear":
            found = np.linspace(self.low, self.high, count)
        elif self.scale == "log":
            found = np.geomspace(self.low, self.high, count)
        else:
            found = 1 - np.geomspace(1 - self.low, 1 - self.high, count)
        # 15 digits: 1e-3, where the last bits of a power would make 1.0000000000000002.
        inner = [float(f"{x:.15g}") for x in found[1:-1]]
        return [self.low, *inner, self.high]

    def _middle(self) -> float:
        low, high = self.low, self.high
        if self.scale == "linear":
            return low + (high - low) / 2
        if self.scale == "log":
            return math.sqrt(low) * math.sqrt(high)
        return 1 - math.sqrt((1 - low) * (1 - high))


@dataclass(frozen=True)
class Integer(Dimension):
    """A whole number between two bounds, both included.

    Parameters
    ----------
    low, high : int
        low < high, in size at most 2**53, as floats count them; both >= 1 on the scale
        "log", and powers of 2 on "powers of 2".
    scale : {"linear", "log", "powers of 2"}
        Default "linear".

    Raises
    ------
    TypeError, ValueError
        No number lies between the bounds, or not on this scale.

    Examples
    --------
    >>> lrcore.space.Integer(1, 100, "log").points(3)
    [1, 10, 100]
    """

    low: int
    high: int
    scale: IntegerScale = "linear"

    def __post_init__(self) -> None:
        one_of("scale", self.scale, get_args(IntegerScale))
        most = 2**53
        least, text = (-most, "-2**53") if self.scale == "linear" else (1, "1")
        for name in ("low", "high"):
            wanted = f"an int in [{text}, 2**53]"
            value = whole(name, getattr(self, name), wanted, least=least)
            if value > most:
                raise ValueError(f"{name}: expected {wanted}, found {shown(value)}")
            if self.scale == "powers of 2" and value & (value - 1):
                raise ValueError(f"{name}: expected a power of 2, found {value}")
            object.__setattr__(self, name, value)
        if not self.low < self.high:
            raise ValueError(
                f"high: expected more than low = {self.low}, found {self.high}; a "
                f"fixed value is the list [{self.low}]"
            )

    def keys(self, name: str) -> tuple[str, ...]:  # noqa: D102
        return (f"log2 {name}" if self.scale == "powers of 2" else name,)

    def suggest(self, name: str, trial: Trial) -> int:  # noqa: D102
        (key,) = self.keys(name)
        low, high = self.low, self.high
        if self.scale == "powers of 2":
            low, high = low.bit_length() - 1, high.bit_length() - 1
        log = self.scale == "log"
        return self.read(name, {key: trial.suggest_int(key, low, high, log=log)})

    def read(self, name: str, raw: Mapping[str, Any]) -> int:  # noqa: D102
        (key,) = self.keys(name)
        value = int(raw[key])
        return 2**value if self.scale == "powers of 2" else value

    def write(self, name: str, value: Any) -> dict[str, Any]:  # noqa: D102
        (key,) = self.keys(name)
        return {key: value.bit_length() - 1 if self.scale == "powers of 2" else value}

    def points(self, count: int) -> list[Any]:  # noqa: D102
        if self.scale == "powers of 2":
            low, high = self.low.bit_length() - 1, self.high.bit_length() - 1
            return [2**k for k in Integer(low, high).points(count)]
        scale: RealScale = "log" if self.scale == "log" else "linear"
        found = Real(self.low, self.high, scale).points(count)
        return sorted({round(x) for x in found})


@dataclass(frozen=True)
class Choice(Dimension):
    """One of several values, without an order.

    Parameters
    ----------
    *values : str, float, int, bool or None
        At least one, each of them once.

    Raises
    ------
    TypeError, ValueError
        There is none, one comes twice, or one is of another type: name it by a string
        then, and look it up in the objective.

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

    def keys(self, name: str) -> tuple[str, ...]:  # noqa: D102
        return (name,)

    def suggest(self, name: str, trial: Trial) -> Any:  # noqa: D102
        return trial.suggest_categorical(name, self.values)

    def read(self, name: str, raw: Mapping[str, Any]) -> Any:  # noqa: D102
        return raw[name]

    def write(self, name: str, value: Any) -> dict[str, Any]:  # noqa: D102
        return {name: value}

    def points(self, count: int) -> list[Any]:
        """Return all values, whatever the count."""
        return list(self.values)


@dataclass(frozen=True)
class Tuple(Dimension):
    """Several dimensions whose values the objective takes as one tuple.

    Parameters
    ----------
    *parts : Dimension
        At least one.

    Raises
    ------
    TypeError, ValueError
        There is none, or one is no dimension.
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

    def keys(self, name: str) -> tuple[str, ...]:  # noqa: D102
        return tuple(key for own, part in self._named(name) for key in part.keys(own))

    def suggest(self, name: str, trial: Trial) -> Any:  # noqa: D102
        return tuple(part.suggest(own, trial) for own, part in self._named(name))

    def read(self, name: str, raw: Mapping[str, Any]) -> Any:  # noqa: D102
        return tuple(part.read(own, raw) for own, part in self._named(name))

    def write(self, name: str, value: Any) -> dict[str, Any]:  # noqa: D102
        written: dict[str, Any] = {}
        for (own, part), element in zip(self._named(name), value, strict=True):
            written |= part.write(own, element)
        return written

    def points(self, count: int) -> list[Any]:
        """Return all combinations of at most `count` values of each element."""
        return list(product(*(part.points(count) for part in self.parts)))


# --- the usual ranges -----------------------------------------------------------------


def lr(low: float = 1e-5, high: float = 1.0) -> Real:
    """Return the dimension of a learning rate, log-uniform.

    The default range has room for Adam (best about 1e-4 to 1e-2) and for SGD (1e-2 to
    1) alike; of a known optimizer give two or three decades.
    """
    return Real(low, high, "log")


def weight_decay(low: float = 1e-6, high: float = 0.3) -> Real:
    """Return the dimension of a weight decay, log-uniform.

    About 1e-6 to 1e-2 where it is coupled (SGD), 1e-3 to 0.3 where it is decoupled
    (AdamW).
    """
    return Real(low, high, "log")


def momentum(low: float = 0.5, high: float = 0.999) -> Real:
    """Return the dimension of a momentum: 1 - momentum is log-uniform."""
    return Real(low, high, "complement")


def betas(
    beta1: tuple[float, float] = (0.5, 0.99),
    beta2: tuple[float, float] = (0.9, 0.9999),
) -> Tuple:
    """Return the dimension of Adam's betas, a pair; each 1 - beta is log-uniform.

    Parameters
    ----------
    beta1, beta2 : two floats
        The bounds of each.
    """
    parts = []
    for name, bounds in (("beta1", beta1), ("beta2", beta2)):
        if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
            raise TypeError(f"{name}: expected two bounds, found {shown(bounds)}")
        try:
            parts.append(Real(*bounds, scale="complement"))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None
    return Tuple(*parts)


def eps(low: float = 1e-10, high: float = 1e-3) -> Real:
    """Return the dimension of an optimizer's eps, log-uniform."""
    return Real(low, high, "log")


def batch_size(low: int = 16, high: int = 512) -> Integer:
    """Return the dimension of a batch size in examples: powers of 2."""
    return Integer(low, high, "powers of 2")


def optimizer(*names: str) -> Choice:
    """Return the dimension of an optimizer, by its name in lrcore.

    Parameters
    ----------
    *names : str
        Some of ``lrcore.optimizers.available()``.  Default: "SGD", "AdamW" and "Lion".

    Raises
    ------
    ValueError
        There is no optimizer of a name.

    Examples
    --------
    >>> params = {"optimizer": "AdamW", "lr": 1e-3}  # as an objective takes them
    >>> opt = getattr(lrcore, params["optimizer"])(np.zeros(3), lr=params["lr"])
    """
    for name in names:
        one_of("optimizer", name, tuple(available()))
    return Choice(*(names or ("SGD", "AdamW", "Lion")))


def schedule(*names: str) -> Choice:
    """Return the dimension of a schedule, by a name that the objective looks up.

    Parameters
    ----------
    *names : str
        Default: "Constant", "Linear", "Cosine" and "OneCycle", which
        `lrcore.schedules` has.
    """
    return Choice(*(names or ("Constant", "Linear", "Cosine", "OneCycle")))


def warmup(low: float = 0.0, high: float = 0.2) -> Real:
    """Return the dimension of a warm-up's length as a fraction of the run, uniform."""
    return Real(low, high)


def final_lr(low: float = 1e-4, high: float = 1.0) -> Real:
    """Return the dimension of the last learning rate over the peak's, log-uniform."""
    return Real(low, high, "log")


def decay(low: float = 0.5, high: float = 0.999) -> Real:
    """Return the dimension of a schedule's factor gamma: 1 - gamma is log-uniform."""
    return Real(low, high, "complement")


def ema_decay(low: float = 0.9, high: float = 0.9999) -> Real:
    """Return the dimension of an average's decay: 1 - decay is log-uniform."""
    return Real(low, high, "complement")


def clip_norm(low: float = 0.1, high: float = 10.0) -> Real:
    """Return the dimension of a gradient norm to clip at, log-uniform."""
    return Real(low, high, "log")


def dropout(low: float = 0.0, high: float = 0.5) -> Real:
    """Return the dimension of a dropout's probability, uniform."""
    return Real(low, high)


def label_smoothing(low: float = 0.0, high: float = 0.2) -> Real:
    """Return the dimension of label smoothing, uniform."""
    return Real(low, high)


# --- checks ---------------------------------------------------------------------------


def check(space: Any) -> dict[str, Dimension]:
    """Return a space as a dict of dimensions: lists become choices.

    Raises
    ------
    TypeError, ValueError
        It is no dict of dimensions by strings, or an empty one, or two of them have a
        parameter of Optuna's in common.
    """
    if not isinstance(space, Mapping):
        raise TypeError(
            'space: expected a dict of dimensions such as {"lr": lrcore.space.lr()}, '
            f"found {shown(space)}"
        )
    if not space:
        raise ValueError(
            "space: expected at least one dimension, such as "
            '{"lr": lrcore.space.lr()}, found none'
        )
    checked: dict[str, Dimension] = {}
    for name, given in space.items():
        if not isinstance(name, str):
            raise TypeError(f"space: expected strings as names, found {shown(name)}")
        if isinstance(given, Dimension):
            checked[name] = given
        elif isinstance(given, list):
            try:
                checked[name] = Choice(*given)
            except (TypeError, ValueError) as error:
                raise type(error)(f"space[{shown(name)}]: {error}") from None
        else:
            fixed = f"a fixed value is [{shown(given)}]"
            advice = "call it" if callable(given) else fixed
            raise TypeError(
                f"space[{shown(name)}]: expected a dimension such as "
                f"lrcore.space.lr(), or a list of values, found {shown(given)}; "
                f"{advice}"
            )
    owners: dict[str, str] = {}
    for name, dimension in checked.items():
        for key in dimension.keys(name):
            other = owners.setdefault(key, name)
            if other != name:
                raise ValueError(
                    f"space[{shown(name)}]: expected a name whose parameters in "
                    f"Optuna's study are its own, found {shown(key)}, which is of "
                    f"{shown(other)} too; rename one"
                )
    return checked


def one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Raise ValueError for a value that is none of the known."""
    if value not in known:
        text = ", ".join(map(repr, known))
        raise ValueError(f"{name}: expected one of {text}, found {shown(value)}")


__all__ = [
    "Choice",
    "Dimension",
    "Integer",
    "Real",
    "Tuple",
    "batch_size",
    "betas",
    "clip_norm",
    "decay",
    "dropout",
    "ema_decay",
    "eps",
    "final_lr",
    "label_smoothing",
    "lr",
    "momentum",
    "optimizer",
    "schedule",
    "warmup",
    "weight_decay",
]
