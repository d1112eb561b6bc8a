"""Arrays beside the params that are put back with them: the argument `also`."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrcore._shared.arrays import Name, Named, state
from lrcore._shared.containers import with_names
from lrcore._shared.trees import flatten
from lrcore._shared.types import Array
from lrcore._shared.words import error, kind


class Also:
    """The arrays that a user names, which can be copied and put back.

    Parameters
    ----------
    given : ndarray, nested list / tuple / dict of ndarray, or None
        Of any dtype but object, contiguous or not, without a mask.

    Raises
    ------
    TypeError, ValueError
        An array cannot be put back in place.
    """

    def __init__(self, given: Any) -> None:
        self._named: list[Named] = []
        if given is not None:
            self._named = with_names("also", flatten(given, name="also"))
        for name, a in self._named:
            _check(name, a)

    def copies(self) -> list[Array]:
        """Return the arrays as they are now, in C order."""
        return [a.copy() for _, a in self._named]

    def to_put_back(self, copies: list[Array]) -> list[tuple[Array, Array]]:
        """Return the arrays with their copies, but those that are read-only now."""
        pairs = zip(self._named, copies, strict=True)
        return [(a, copy) for (_, a), copy in pairs if a.flags.writeable]

    def check_writable(self) -> None:
        """Name an array that has become read-only, in an error."""
        for name, a in self._named:
            _check(name, a)

    def check(self, name: str, saved: Any) -> None:
        """Check saved copies: as many arrays, with the same dtypes and shapes."""
        same(name, saved, [a for _, a in self._named])


def _check(name: Name, a: Any) -> None:
    """Check for an array that can be copied and written."""
    if not isinstance(a, np.ndarray) or a.dtype.hasobject:
        found = "an array of objects" if isinstance(a, np.ndarray) else kind(a)
        raise error(
            TypeError,
            name,
            f"expected a numpy.ndarray of numbers, which is changed in place, found "
            f"{found}; keep it in an array: numpy.array(...)",
        )
    # numpy.ma takes a tenth of a second to import: only subclasses need it.
    if type(a) is not np.ndarray and isinstance(a, np.ma.MaskedArray):
        raise error(
            TypeError, name, "found a masked array; give its data and its mask, as two"
        )
    if not a.flags.writeable:
        raise error(
            ValueError, name, "found a read-only array, which could not be put back"
        )


def same(name: str, saved: Any, own: list[Array]) -> None:
    """Check saved arrays against those whose place they are to take."""
    if not isinstance(saved, (list, tuple)) or len(saved) != len(own):
        found = len(saved) if isinstance(saved, (list, tuple)) else kind(saved)
        raise error(
            ValueError, name, f"expected a list of {len(own)} arrays, found {found}"
        )
    for k, (array, mine) in enumerate(zip(saved, own, strict=True)):
        state(f"{name}[{k}]", array, mine)
