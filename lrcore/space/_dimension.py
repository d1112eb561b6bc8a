"""What the dimensions of a search have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lrcore._shared.words import shown

if TYPE_CHECKING:
    from optuna.trial import Trial


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


def one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Raise ValueError for a value that is none of the known."""
    if value not in known:
        text = ", ".join(map(repr, known))
        raise ValueError(f"{name}: expected one of {text}, found {shown(value)}")
