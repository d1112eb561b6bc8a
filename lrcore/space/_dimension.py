"""The base class of the dimensions of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lrcore._shared.words import shown

if TYPE_CHECKING:
    from optuna.trial import Trial


class Dimension:
    """The base class of all dimensions.

    Optuna's studies, and so its plots and dashboards, call a parameter by the name of
    its dimension.  Exceptions are ``1 - name`` on the scale "complement", ``log2 name``
    on the scale "powers of 2", and ``name[0]`` for an element of a tuple.
    """

    def suggest(self, name: str, trial: Trial) -> Any:
        """Return the value that Optuna's sampler proposes in a trial.

        Parameters
        ----------
        name : str
            The name of the dimension in the space that is searched.
        trial : optuna.trial.Trial
            It is told which parameters there are, and within which bounds.
        """
        raise NotImplementedError

    def points(self, count: int) -> list[Any]:
        """Return at most `count` rising values of a grid, which includes the bounds.

        Parameters
        ----------
        count : int
            >= 1.
        """
        raise NotImplementedError

    def read(self, name: str, raw: Mapping[str, Any]) -> Any:
        """Return the value that Optuna's parameters represent.

        Parameters
        ----------
        name : str
            The name of the dimension.
        raw : mapping
            A trial's parameters by their names in Optuna, which `keys` returns.
        """
        raise NotImplementedError

    def write(self, name: str, value: Any) -> dict[str, Any]:
        """Return the parameters of Optuna that represent a value."""
        raise NotImplementedError

    def keys(self, name: str) -> tuple[str, ...]:
        """Return the names of those parameters."""
        raise NotImplementedError


def one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Raise ValueError for a value that is not among the known ones."""
    if not isinstance(value, str) or value not in known:
        text = ", ".join(map(repr, known))
        raise ValueError(f"{name}: expected one of {text}, found {shown(value)}")
