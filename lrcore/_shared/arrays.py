"""What may be wrong with an array that a user hands over, in words.

Each function returns where all is well, and raises TypeError or ValueError with the
argument's name, what was found and how to mend it, before anything has been written.
A message is short whatever the user passed, and takes time linear in what was passed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from operator import itemgetter
from typing import Any

import numpy as np

from lrcore._shared.trees import Place
from lrcore._shared.words import error, kind, shortened, shown

_FLOAT32, _FLOAT64 = np.dtype("float32"), np.dtype("float64")

Name = str | Place
"""What a message calls an array or a container."""

Named = tuple[Name, np.ndarray]


def readable(
    name: Name, a: Any, *, like: np.dtype[Any] = _FLOAT32, keep: bool = False
) -> None:
    """Check for an array that a kernel can read.

    like: the dtype to advise; keep: whether the caller has to keep what he converts.
    """
    if a is None:
        how = "pass the array that is to be updated" if keep else "pass the gradient"
        raise error(TypeError, name, f"expected a numpy.ndarray, found None; {how}")
    if isinstance(a, np.ma.MaskedArray):
        raise error(TypeError, name, "found a masked array; fill it first: .filled(0)")
    if not isinstance(a, np.ndarray):
        raise error(
            TypeError,
            name,
            f"expected a numpy.ndarray, found {kind(a)}; "
            + _mend(keep, f"numpy.asarray({{}}, numpy.{like})"),
        )
    if a.dtype != _FLOAT32 and a.dtype != _FLOAT64:
        found = shortened(a.dtype.name)
        order = "" if a.dtype.isnative else " in foreign byte order"
        raise error(
            TypeError,
            name,
            f"expected dtype float32 or float64, found {found}{order}; "
            + _mend(keep, f"{{}}.astype(numpy.{like})"),
        )
    if not (a.flags.c_contiguous or a.flags.f_contiguous):
        raise error(
            ValueError,
            name,
            f"found a non-contiguous array with strides {shown(a.strides)}; "
            + _mend(keep, "numpy.ascontiguousarray({})"),
        )
    if not a.flags.aligned:
        raise error(ValueError, name, "found a misaligned array; " + _mend(keep))


def writable(name: Name, a: Any, *, keep: bool = False) -> None:
    """Check for an array that a step can update."""
    readable(name, a, keep=keep)
    if not a.flags.writeable:
        raise error(
            ValueError,
            name,
            "found a read-only array, which a step could not update; " + _mend(keep),
        )


def _mend(keep: bool, how: str = "{}.copy()") -> str:
    """Advise a conversion; a converted parameter is to be kept, to be seen training."""
    if keep:
        return f"make it so, keep it and pass it: p = {how.format('p')}"
    return f"pass {how.format('...')}"


def matches(name: Name, a: Any, of: Name, p: np.ndarray) -> None:
    """`a` belongs to the parameter `p`: same type, shape and memory order."""
    readable(name, a, like=p.dtype)
    if a.dtype != p.dtype:
        raise error(
            TypeError,
            name,
            f"expected dtype {p.dtype} as {of} has, found {a.dtype}; "
            f"pass ....astype(numpy.{p.dtype})",
        )
    if a.shape != p.shape:
        turned = ", the shape of its transpose" if a.T.shape == p.shape else ""
        raise error(
            ValueError,
            name,
            f"expected shape {shown(p.shape)} as {of} has, "
            f"found {shown(a.shape)}{turned}",
        )
    order, other = ("C", "F") if p.flags.c_contiguous else ("F", "C")
    if not a.flags[f"{order}_CONTIGUOUS"]:
        raise error(
            ValueError,
            name,
            f"expected memory order {order} as {of} has, found {other} "
            f'(a transposed view?); pass numpy.asarray(..., order="{order}")',
        )


def state(name: Name, value: Any, own: np.ndarray) -> None:
    """Check a saved state array against the optimizer's: type and shape, not layout."""
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise error(TypeError, name, f"expected a numpy.ndarray, found {kind(value)}")
    if value.dtype != own.dtype:
        found = shortened(str(value.dtype))
        raise error(TypeError, name, f"expected dtype {own.dtype}, found {found}")
    if value.shape != own.shape:
        wanted, found = shown(own.shape), shown(value.shape)
        raise error(ValueError, name, f"expected shape {wanted}, found {found}")


def units(
    name: Name, p: np.ndarray, axes: Sequence[int] | None
) -> tuple[int, int, int] | None:
    """Return (outer, reduced, inner) in memory order of norms over axes of an array.

    Axes that it lacks are left out.  None: there are no such norms.
    """
    if axes is None:
        return None
    if p.ndim < 2:
        return 1, p.size, 1
    own = sorted(a % p.ndim for a in axes if -p.ndim <= a < p.ndim)
    if not own:
        raise ValueError(
            f"agc_axis: expected axes of {shortened(str(name))}, which has {p.ndim}, "
            f"found {shown(axes)}"
        )
    if own != [*range(own[0], own[-1] + 1)]:
        raise ValueError(
            f"agc_axis: expected neighbouring axes of {shortened(str(name))}, "
            f"each once, found {shown(axes)}"
        )
    shape, first, last = p.shape, own[0], own[-1] + 1
    if not p.flags.c_contiguous:
        shape, first, last = shape[::-1], p.ndim - last, p.ndim - first
    return prod(shape[:first]), prod(shape[first:last]), prod(shape[last:])


# --- arrays among each other ----------------------------------------------------------


def _extent(a: np.ndarray) -> tuple[int, int]:
    start = a.__array_interface__["data"][0]
    return start, start + a.nbytes


Span = tuple[int, int, Name]
"""An array's addresses [start, end), and its name."""


def spans(named: Sequence[Named]) -> list[Span]:
    """Return the spans of arrays that hold anything, in order of address."""
    spans = [(*_extent(a), name) for name, a in named if a.nbytes]
    return sorted(spans, key=itemgetter(0, 1))


def apart(named: Sequence[Named]) -> None:
    """No two of these arrays overlap."""
    for (_, end, first), (start, _, second) in pairwise(spans(named)):
        if start < end:
            raise error(
                ValueError,
                second,
                f"found to share memory with {shortened(str(first))}; "
                "copy one: .copy()",
            )


def apart_from(spans: list[Span], name: Name, a: np.ndarray) -> None:
    """An array overlaps none of these spans, which do not overlap each other."""
    start, end = _extent(a)
    if start == end:
        return
    at = bisect_left(spans, end, key=itemgetter(0))  # those before begin before its end
    if at and spans[at - 1][1] > start:
        raise error(
            ValueError,
            name,
            f"found to share memory with {spans[at - 1][2]}; copy it: .copy()",
        )


def buffers(arrays: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """The addresses [start, end) of arrays that hold anything, in order."""
    return sorted(_extent(a) for a in arrays if a.nbytes)
