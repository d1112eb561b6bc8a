"""Objects that change in a run and can be saved: `state_dict`, `load_state_dict`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from lrcore._core import Commit
from lrcore._shared.domains import whole
from lrcore._shared.words import shown

Check = Callable[[str, Any], Any]
"""Takes a name and a value; returns the value in Python's own type, or refuses it."""


def counted(name: str, value: Any) -> int:
    """Return a saved count."""
    return whole(name, value, "an int >= 0", least=0)


def add_generator(commit: Commit, generator: Any, state: Any) -> None:
    """Let a commit set a random generator, or bit generator, of NumPy to a state."""
    if isinstance(generator, np.random.RandomState):
        commit.call(generator.set_state, state, generator.get_state(legacy=False))
    else:
        commit.set(getattr(generator, "bit_generator", generator), "state", state)


class Stateful:
    """A mix-in with `state_dict` and `load_state_dict`.

    A class names the arguments of its constructor and the attributes that change, each
    with a check of a saved value.  An attribute `_x` is saved under the name `x`.

    Examples
    --------
    >>> class Tally(Stateful):
    ...     _config, _changing = ("step",), {"total": counted}
    ...     def __init__(self, step):
    ...         self.step, self.total = step, 0
    >>> tally, other = Tally(2), Tally(1)
    >>> tally.total = 6
    >>> tally.state_dict()
    {'step': 2, 'total': 6}
    >>> other.load_state_dict(tally.state_dict())
    >>> other.step, other.total
    (2, 6)
    """

    __slots__ = ()

    _config: ClassVar[tuple[str, ...]]
    _changing: ClassVar[Mapping[str, Check]]
    _later: ClassVar[frozenset[str]] = frozenset()
    """Entries that older saved dicts lack: they are as a new object has them."""

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` takes."""
        names = (*self._config, *self._changing)
        return {name.removeprefix("_"): getattr(self, name) for name in names}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue where the object that gave this ``state_dict()`` was.

        Raises
        ------
        TypeError, ValueError
            It is not from ``state_dict()``.  In this case, nothing is changed.
        """
        self._become(self._revived(saved))

    def _revived(self, saved: Mapping[str, Any]) -> Any:
        """Return a new object with the saved values, after a check of all of them."""
        wanted = self.state_dict().keys()
        needed = wanted - self._later
        if not isinstance(saved, Mapping) or not needed <= saved.keys() <= wanted:
            raise ValueError(f"saved: expected {list(wanted)}, found {shown(saved)}")
        # A subclass may have a constructor with other arguments.
        owner = next(kind for kind in type(self).__mro__ if "_config" in vars(kind))
        new = owner(**{name: saved[name] for name in self._config if name in saved})
        for name, check in self._changing.items():
            key = name.removeprefix("_")
            if key in saved:
                setattr(new, name, check(key, saved[key]))
        return new

    def _copy(self) -> Self:
        """Return a copy, which later changes of this one leave as it is."""
        new = object.__new__(type(self))
        for name in (*self._config, *self._changing):
            setattr(new, name, getattr(self, name))
        return new

    def _take(self, other: Self, commit: Commit) -> None:
        """Let a commit make this object what the other is."""
        for name in (*self._config, *self._changing):
            commit.set(self, name, getattr(other, name))

    def _become(self, other: Self) -> None:
        """Become what the other is, at once."""
        commit = Commit()
        self._take(other, commit)
        commit.make()


class StatefulSetting(ABC):
    """A setting that changes between steps: saved and restored with an optimizer."""

    __slots__ = ()

    @abstractmethod
    def _copy(self) -> Self:
        """Return a copy, which later changes of this one leave as it is."""

    @abstractmethod
    def _take(self, other: Self, commit: Commit) -> None:
        """Let a commit make this setting what the other is."""


class StatefulSchedule(StatefulSetting):
    """A schedule that changes between steps."""

    __slots__ = ()

    @abstractmethod
    def _scale_by(self, factor: float, commit: Commit) -> None:
        """Let a commit multiply all values from then on."""
