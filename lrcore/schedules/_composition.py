"""The methods of a schedule that make another schedule of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lrcore._shared.domains import FINITE
from lrcore.schedules._parameters import STEPS

if TYPE_CHECKING:
    from lrcore.schedules._schedule import Schedule
    from lrcore.schedules.arithmetic import Clamp, Product, Quotient, Sum
    from lrcore.schedules.compose import Join, PerEpoch, Warmup

Operand = Callable[[Any], Any] | float
"""A schedule, another function of the step, or a number, which is a constant."""

Made = TypeVar("Made")


class Makers:
    """The functions that make schedules of schedules.

    They return subclasses of `Schedule`.  The modules of these import this one, so that
    it cannot import them: they set the functions.
    """

    add: Callable[[Operand, Operand], Sum]
    clamp: Callable[..., Clamp]
    divide: Callable[..., Quotient]
    join: Callable[..., Join]
    multiply: Callable[[Operand, Operand], Product]
    operand: Callable[[str, Operand], Schedule]
    per_epoch: Callable[..., PerEpoch]
    subtract: Callable[[Operand, Operand], Sum]
    warmup: Callable[..., Warmup]


MAKERS = Makers()


def _operated(operator: Callable[..., Made], a: Any, b: Any) -> Made:
    """Return a result, or NotImplemented for operands of other types."""
    try:
        return operator(a, b)
    except TypeError:
        return NotImplemented  # type: ignore[no-any-return] # Python's protocol


class Composition:
    """A mix-in of `Schedule`: warm-up, what follows, and arithmetic."""

    def warmup(
        self,
        steps: int,
        start: float = 0.0,
        shape: Literal["linear", "exponential", "log"] = "linear",
        first: Literal[0, 1] = 1,
    ) -> Warmup:
        """Rise to this schedule's first value, then follow it: see `Warmup`.

        This schedule begins after the warm-up: a run of 300 steps with a warm-up of 20
        has room for a schedule of 280.  A warm-up of 0 steps changes nothing.
        """
        return MAKERS.warmup(steps, self, start, shape, first)

    def then(self, at: int, other: Operand) -> Join:
        """Follow this schedule up to step `at`, and the other from there on.

        The other counts from its own start.  It is a schedule, another function of the
        step, or a number, which is a constant.
        """
        return MAKERS.join((self, MAKERS.operand("other", other)), (at,))

    def scale(self, factor: float) -> Product:
        """Multiply by a number: ``factor * self``."""
        number: float = FINITE.check("factor", factor)
        return number * self

    def clamp(self, low: float | None = None, high: float | None = None) -> Clamp:
        """Go no lower and no higher."""
        return MAKERS.clamp(self, low, high)

    def per_epoch(self, steps_per_epoch: int, fractional: bool = False) -> PerEpoch:
        """Count its steps in epochs: see `PerEpoch`."""
        steps = STEPS.check("steps_per_epoch", steps_per_epoch)
        return MAKERS.per_epoch(self, steps, fractional)

    def __add__(self, other: Operand) -> Sum:
        return _operated(MAKERS.add, self, other)

    def __radd__(self, other: Operand) -> Sum:
        return _operated(MAKERS.add, other, self)

    def __sub__(self, other: Operand) -> Sum:
        return _operated(MAKERS.subtract, self, other)

    def __rsub__(self, other: Operand) -> Sum:
        return _operated(MAKERS.subtract, other, self)

    def __mul__(self, other: Operand) -> Product:
        return _operated(MAKERS.multiply, self, other)

    def __rmul__(self, other: Operand) -> Product:
        return _operated(MAKERS.multiply, other, self)

    def __truediv__(self, other: float) -> Quotient:
        return _operated(MAKERS.divide, self, other)

    def __neg__(self) -> Product:
        return -1 * self
