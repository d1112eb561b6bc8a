"""Several plateaus that follow the same metric."""

from __future__ import annotations

from typing import Protocol

from lrcore._core import Commit
from lrcore.training._metric import number


class Plateau(Protocol):
    """A schedule that shrinks on a plateau."""

    def _update(self, metric: float, commit: Commit) -> bool:
        """Let a commit take a metric; return whether it reduces the value."""
        ...

    def _reset(self, commit: Commit) -> None:
        """Let a commit begin anew."""
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
        commit = Commit()
        reduced = [plateau._update(value, commit) for plateau in self]
        commit.make()
        return any(reduced)

    def reset(self) -> None:
        """Begin anew: no metric seen, nothing reduced."""
        commit = Commit()
        for plateau in self:
            plateau._reset(commit)
        commit.make()

    def __repr__(self) -> str:
        return f"<Plateaus: {', '.join(map(repr, self))}>"
