"""A function to minimize, as SciPy passes it to a method: counted, and with bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import Bounds

from lrcore._shared.domains import real
from lrcore._shared.types import Array
from lrcore._shared.words import shown


class Problem:
    """A function of a vector, its gradient and its bounds.

    fun, jac, args : as SciPy passes them; without jac, the gradient is taken by
        differences of the function.
    lower, upper : the bounds, of the vector's shape; infinite where there is none.
    nfev, njev : how often the function and the gradient have been called.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        jac: Callable[..., Any] | None,
        args: tuple[Any, ...],
        bounds: Any,
        n: int,
    ) -> None:
        self._fun, self._jac, self._args = fun, jac, args
        self.lower, self.upper = limits(bounds, n)
        self.bounded = bool(np.isfinite([self.lower, self.upper]).any())
        self.nfev = self.njev = 0

    def clip(self, x: Array) -> None:
        """Move a vector to the nearest one within the bounds, in place."""
        np.clip(x, self.lower, self.upper, out=x)

    def at(self, x: Array) -> tuple[float, Array]:
        """Return the function's value and its gradient."""
        value = self._value(x)
        if self._jac is None:
            gradient = self._differences(x, value)
        else:
            # Its own copies: the caller may keep or reuse what is passed and returned.
            gradient = np.array(self._jac(x.copy(), *self._args), float)
        self.njev += 1
        if gradient.shape != x.shape:
            raise ValueError(
                f"jac: expected a gradient of shape {x.shape}, found {gradient.shape}"
            )
        return value, gradient

    def slope(self, x: Array, gradient: Array) -> float:
        """Return how far the gradient moves x within the bounds, at most."""
        if not self.bounded:
            return float(abs(gradient).max(initial=0.0))
        moved = np.clip(x - gradient, self.lower, self.upper)
        return float(abs(moved - x).max(initial=0.0))

    def _value(self, x: Array) -> float:
        value = self._fun(x.copy(), *self._args)
        self.nfev += 1
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.item()
        return real("fun", value, "a function that returns a number")

    def _differences(self, x: Array, value: float) -> Array:
        """Return a gradient by differences, each to the side that has more room."""
        step = np.sqrt(np.finfo(float).eps) * np.maximum(abs(x), 1.0)
        up, down = self.upper - x, x - self.lower
        room = np.minimum(step, np.maximum(up, down))
        # A variable whose bounds are equal has no room, and does not move either way.
        room = np.where(room > 0, room, step)
        moved = x + np.where((up < room) & (down > up), -room, room)
        gradient, near = np.empty_like(x), x.copy()
        for i in range(len(x)):
            near[i] = moved[i]
            gradient[i] = (self._value(near) - value) / (moved[i] - x[i])
            near[i] = x[i]
        return gradient


def limits(bounds: Any, n: int) -> tuple[Array, Array]:
    """Return the lower and upper bounds of n variables.

    bounds : a Bounds of SciPy, a sequence of n pairs in which None means none, or None.
    """
    wanted = f"bounds: expected a Bounds of SciPy or {n} pairs (lower, upper)"
    if bounds is None:
        return np.full(n, -np.inf), np.full(n, np.inf)
    try:
        if isinstance(bounds, Bounds):
            pair = bounds.lb, bounds.ub
        else:
            pairs = [(low, high) for low, high in bounds]
            if len(pairs) != n:
                raise ValueError(f"{wanted}, found {len(pairs)}")
            pair = ([low for low, _ in pairs], [high for _, high in pairs])
        lower, upper = (
            np.array(np.broadcast_to(np.array(given, float), n)) for given in pair
        )
    except (TypeError, ValueError):
        raise ValueError(f"{wanted}, found {shown(bounds)}") from None
    # None becomes NaN as a float.
    lower[np.isnan(lower)] = -np.inf
    upper[np.isnan(upper)] = np.inf
    if (at := np.flatnonzero(lower > upper)).size:
        i = int(at[0])
        raise ValueError(
            f"bounds: expected lower <= upper, found {lower[i]} and {upper[i]} for "
            f"variable {i}"
        )
    return lower, upper
