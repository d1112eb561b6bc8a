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


def states_like(p: Array, wanted: list[Wanted]) -> dict[str, Array]:
    """Return the state arrays of a parameter: of its shape, order and dtype.

    Those of a small parameter share one allocation: with 200,000 arrays that takes half
    the time that one for each array does.
    """
    if p.nbytes < _PAGE:
        return small_states(p, wanted)
    return {name: state_like(p, k, value) for k, (name, value) in enumerate(wanted)}


def state_like(p: Array, k: int, value: float | Literal["p"]) -> Array:
    """Return state array k of a parameter: its shape, order and dtype.

    value: the initial value, or "p": a copy of p.

    It is a view: an array that does not own its memory cannot be resized, and kernels
    hold its address.

    If p is large (256 KiB), state k begins at the first cache line that is at least
    (k + 1) KiB after p, modulo the page size.  The allocator would place all arrays at
    the same offset in a page, 16 bytes into a cache line.  A step that reads four or
    five of them side by side then suffers from 4K aliasing of loads and stores and from
    bank conflicts in memory, 4 to 8 % of a step of 3e7 weights here (Sapphire Rapids),
    and from loads that need two lines.

    NumPy asks for huge pages for allocations from 4 MiB on (the environment variable
    ``NUMPY_MADVISE_HUGEPAGE`` turns that off); the system provides them when the values
    are written here.
    """
    fill = p if value == "p" else value
    if p.nbytes < _LARGE:
        small = np.empty_like(p, subok=False)
        small[...] = fill
        return small.view()
    raw = np.empty(p.nbytes + _PAGE, np.uint8)
    after = address(p) + 1024 * (k + 1)
    begin = (after + -after % _LINE - address(raw)) % _PAGE
    order: Literal["C", "F"] = "C" if p.flags.c_contiguous else "F"
    flat: Array = raw[begin : begin + p.nbytes].view(p.dtype)
    array = flat.reshape(p.shape, order=order)
    array[...] = fill
    return array
