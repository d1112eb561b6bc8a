"""Several plateaus that follow the same metric."""

from __future__ import annotations

from typing import Protocol

from lrcore.training._metric import number


class Plateau(Protocol):
    """A schedule that shrinks on a plateau."""

    def update(self, metric: float) -> bool:
        """Take a new value of the metric; return whether the value was reduced."""
        ...

    def reset(self) -> None:
        """Begin anew."""
        ...


class Plateaus(tuple[Plateau, ...]):
    """The plateaus of an optimizer's learning rates, made by ``attach``.

    A tuple with one `ReduceOnPlateau` for each different rate, in the order of groups.
    """

    __slots__ = ()

    def update(self, metric: float) -> bool:
        """Take a new value of the metric; reduce the rates if it is time to.

        Parameters
        ----------
        metric : float
            The loss on a validation set, say.  NaN is no improvement.

        Returns
        -------
        bool
            Whether a rate was reduced.

        Raises
        ------
        TypeError
            The metric is no number.  Nothing has been changed then.
        """
        value = number("metric", metric)
        reduced = [plateau.update(value) for plateau in self]
        return any(reduced)

    def reset(self) -> None:
        """Begin anew: no metric seen, nothing reduced."""
        for plateau in self:
            plateau.reset()

    def __repr__(self) -> str:
        return f"<Plateaus: {', '.join(map(repr, self))}>"
