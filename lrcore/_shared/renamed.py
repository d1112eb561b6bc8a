"""Old names of arguments, which keep working for one release and warn."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Kind = TypeVar("Kind")

GONE_IN = "0.2.0"
"""The release in which the names go that are old now."""


def warn_renamed(owner: str, old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that a name of an argument or attribute is old."""
    warnings.warn(
        f"{owner}: {old} is now called {new}; the old name goes in lrcore {GONE_IN}",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


def renewed(owner: str, kwargs: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """Return keyword arguments with new names in place of old ones.

    Raises
    ------
    TypeError
        An argument has both its old and its new name.
    """
    new = dict(kwargs)
    for old in names.keys() & kwargs.keys():
        if names[old] in kwargs:
            raise TypeError(
                f"{names[old]}: expected one name, found {old}, its old one, too"
            )
        warn_renamed(owner, old, names[old], stacklevel=4)
        new[names[old]] = new.pop(old)
    return new


def renamed(**names: str) -> Callable[[type[Kind]], type[Kind]]:
    """Keep old names of a class's arguments and attributes: ``old="new"``.

    Examples
    --------
    >>> import warnings
    >>> @renamed(colour="color")
    ... class Pen:
    ...     def __init__(self, color):
    ...         self.color = color
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     Pen(colour="red").color
    'red'
    >>> print(caught[0].message)
    Pen: colour is now called color; the old name goes in lrcore 0.2.0
    """

    def decorate(kind: type[Kind]) -> type[Kind]:
        init = kind.__init__

        @functools.wraps(init)
        def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **renewed(kind.__name__, kwargs, names))

        def reader(old: str, new: str) -> Any:
            def read(self: Any) -> Any:
                warn_renamed(kind.__name__, old, new)
                return getattr(self, new)

            return property(read, doc=f"The old name of {new}.")

        kind.__init__ = initialize  # type: ignore[method-assign] # a decorator
        for old, new in names.items():
            setattr(kind, old, reader(old, new))
        kind._renamed = names  # type: ignore[attr-defined] # of a decorated class
        return kind

    return decorate
