"""Dimensions of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from lrcore._shared.domains import real, whole
from lrcore._shared.words import shown
from lrcore.space._dimension import Dimension, one_of

if TYPE_CHECKING:
    from optuna.trial import Trial

RealScale = Literal["linear", "log", "complement"]
IntegerScale = Literal["linear", "log", "powers of 2"]


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
        Default "linear".  "complement" suits momentum, betas and other decays per step:
        0.9, 0.99 and 0.999 are equally far from each other.

    Raises
    ------
    TypeError, ValueError
        The bounds are not in order, or not in the domain of the scale.

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

    def keys(self, name: str) -> tuple[str, ...]:
        return (f"1 - {name}" if self.scale == "complement" else name,)

    def suggest(self, name: str, trial: Trial) -> float:
        (key,) = self.keys(name)
        low, high = self.low, self.high
        if self.scale == "complement":
            low, high = 1 - high, 1 - low
        log = self.scale != "linear"
        return self.read(name, {key: trial.suggest_float(key, low, high, log=log)})

    def read(self, name: str, raw: Mapping[str, Any]) -> float:
        (key,) = self.keys(name)
        value = float(raw[key])
        if self.scale == "complement":
            value = 1 - value
        return min(max(value, self.low), self.high)

    def write(self, name: str, value: Any) -> dict[str, Any]:
        (key,) = self.keys(name)
        return {key: 1 - value if self.scale == "complement" else value}

    def points(self, count: int) -> list[Any]:
        whole("count", count, "an int >= 1", least=1)
        if count == 1:
            return [self._middle()]
        if self.scale == "linear":
            found = np.linspace(self.low, self.high, count)
        elif self.scale == "log":
            found = np.geomspace(self.low, self.high, count)
        else:
            found = 1 - np.geomspace(1 - self.low, 1 - self.high, count)
        # Rounded to 15 digits: 0.001, not the power's 0.0010000000000000002.
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
        low < high, of magnitudes up to 2**53, which floats represent; both >= 1 on the
        scale "log", and powers of 2 on "powers of 2".
    scale : {"linear", "log", "powers of 2"}
        Default "linear".

    Raises
    ------
    TypeError, ValueError
        The bounds are not in order, or not in the domain of the scale.

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

    def keys(self, name: str) -> tuple[str, ...]:
        return (f"log2 {name}" if self.scale == "powers of 2" else name,)

    def suggest(self, name: str, trial: Trial) -> int:
        (key,) = self.keys(name)
        low, high = self.low, self.high
        if self.scale == "powers of 2":
            low, high = low.bit_length() - 1, high.bit_length() - 1
        log = self.scale == "log"
        return self.read(name, {key: trial.suggest_int(key, low, high, log=log)})

    def read(self, name: str, raw: Mapping[str, Any]) -> int:
        (key,) = self.keys(name)
        value = int(raw[key])
        return 2**value if self.scale == "powers of 2" else value

    def write(self, name: str, value: Any) -> dict[str, Any]:
        (key,) = self.keys(name)
        return {key: value.bit_length() - 1 if self.scale == "powers of 2" else value}

    def points(self, count: int) -> list[Any]:
        if self.scale == "powers of 2":
            low, high = self.low.bit_length() - 1, self.high.bit_length() - 1
            return [2**k for k in Integer(low, high).points(count)]
        scale: RealScale = "log" if self.scale == "log" else "linear"
        found = Real(self.low, self.high, scale).points(count)
        return sorted({round(x) for x in found})
