"""Where state arrays lie."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lrcore._shared.types import Array

_PAGE = 4096
_LARGE = 1 << 20


def state_like(p: Array, k: int, value: float | Literal["p"]) -> Array:
    """Return state array k of a parameter: its shape, order and dtype.

    value: what it is filled with, or "p": a copy of p.

    It is a view: an array that does not own its memory cannot be resized, and kernels
    hold its address.

    Where p is large (1 MiB), state k begins (k + 1) KiB after p, counted modulo the
    page. Arrays that the allocator hands out begin at the same place of a page, and a
    step that walks four or five such arrays side by side makes the processor take a
    load for the store of another, and memory open the same banks in turn: 4 to 8 % of a
    step of 3e7 weights here (Sapphire Rapids).

    NumPy asks for huge pages for what it allocates, from 4 MiB on (its environment's
    ``NUMPY_MADVISE_HUGEPAGE`` turns that off); writing the values here is what makes
    the system hand them out.
    """
    fill = p if value == "p" else value
    if p.nbytes < _LARGE:
        small = np.empty_like(p, subok=False)
        small[...] = fill
        return small.view()
    raw = np.empty(p.nbytes + _PAGE, np.uint8)
    wanted = _address(p) + 1024 * (k + 1)
    begin = (wanted - _address(raw)) % _PAGE
    order: Literal["C", "F"] = "C" if p.flags.c_contiguous else "F"
    flat: Array = raw[begin : begin + p.nbytes].view(p.dtype)
    array = flat.reshape(p.shape, order=order)
    array[...] = fill
    return array


def _address(a: Array) -> int:
    return int(a.__array_interface__["data"][0])
