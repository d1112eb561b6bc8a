"""A formula of the step, evaluated for a number or an array."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, overload

import numpy as np

from lrcore._shared.domains import real
from lrcore._shared.types import Array
from lrcore._shared.words import shortened, shown
from lrcore.schedules._formulas import ARRAYS, NUMBERS

_BLOCK = 16384
"""Elements that are evaluated together; their intermediate results fit in the cache."""

_FOREVER = 2.0**63
"""Steps are less than this."""


class Evaluated(ABC):
    """The part of `Schedule` that evaluates its formula."""

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
        if type(t) is not int and type(t) is not float:
            if isinstance(t, np.ndarray):
                return self._of_array(t)
            # This makes floats of NumPy's numbers, whose ranges may be narrow.
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
