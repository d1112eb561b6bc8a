"""The allocation of state arrays."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lrcore._core import address, small_states
from lrcore._shared.types import Array

_PAGE = 4096
_LINE = 64
_LARGE = 1 << 18

Wanted = tuple[str, float | Literal["p"]]
"""The name of a state array, and its initial value; "p": it is a copy of p."""

Fresh = list[tuple[Array, float | Array]]
"""Arrays that are not written yet, and their initial values."""


def states_like(p: Array, wanted: list[Wanted], fresh: Fresh) -> dict[str, Array]:
    """Return the state arrays of a parameter: of its shape, order and dtype.

    Those of a small parameter share one allocation: with 200,000 arrays that takes half
    the time that one for each array does.

    fresh : is extended by the arrays of a large parameter.  They are not written here,
        as the system gives a page the memory that is near to the thread that first
        writes to it: that has to be the thread that steps these elements.
    """
    if p.nbytes < _PAGE:
        return small_states(p, wanted)
    found = {}
    for k, (name, value) in enumerate(wanted):
        found[name] = array = empty_like(p, k)
        first = p if value == "p" else value
        if p.nbytes < _LARGE:
            array[...] = first
        else:
            fresh.append((array, first))
    return found


def empty_like(p: Array, k: int) -> Array:
    """Return state array k of a parameter, not written: its shape, order and dtype.

    It is a view: an array that does not own its memory cannot be resized, and kernels
    hold its address.

    If p is large (256 KiB), state k begins at the first cache line that is at least
    (k + 1) KiB after p, modulo the page size.  The allocator would place all arrays at
    the same offset in a page, 16 bytes into a cache line.  A step that reads four or
    five of them side by side then suffers from 4K aliasing of loads and stores and from
    bank conflicts in memory, 4 to 8 % of a step of 3e7 weights here (Sapphire Rapids),
    and from loads that need two lines.

    NumPy asks for huge pages for allocations from 4 MiB on (the environment variable
    ``NUMPY_MADVISE_HUGEPAGE`` turns that off); the system provides them when the array
    is first written.
    """
    if p.nbytes < _LARGE:
        return np.empty_like(p, subok=False).view()
    raw = np.empty(p.nbytes + _PAGE, np.uint8)
    after = address(p) + 1024 * (k + 1)
    begin = (after + -after % _LINE - address(raw)) % _PAGE
    order: Literal["C", "F"] = "C" if p.flags.c_contiguous else "F"
    flat: Array = raw[begin : begin + p.nbytes].view(p.dtype)
    return flat.reshape(p.shape, order=order)
