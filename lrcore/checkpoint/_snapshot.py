"""Copies of all arrays of a save at one moment, in memory that is kept."""

from __future__ import annotations

import mmap
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import accumulate
from typing import Literal

import numpy as np

from lrcore._shared.types import Array
from lrcore.checkpoint._layout import ALIGNED
from lrcore.optimizers.base.optimizer import Optimizer

_kept: weakref.WeakKeyDictionary[Optimizer, mmap.mmap] = weakref.WeakKeyDictionary()
"""The memory of each optimizer's last copy, while no copy is in it.

In fresh memory, the system makes zeros of each page before a copy is written there.
"""


class Snapshot:
    """Copies of arrays, with the memory that they are in.

    arrays : by name.
    changes : the number of changes of the optimizer with which the arrays belong.
    """

    def __init__(self, opt: Optimizer, arrays: Mapping[str, Array], changes: int):
        *places, size = _places(arrays.values())
        memory = _kept.pop(opt, None)
        if memory is None or len(memory) < size:
            memory = None  # before there is another one
            memory = _fresh(size)
        self._opt, self._memory = weakref.ref(opt), memory
        self.arrays = {
            name: np.ndarray(a.shape, a.dtype, memory, at, order=_order(a))
            for (name, a), at in zip(arrays.items(), places, strict=True)
        }
        try:
            self._fill(opt, arrays, changes)
        except BaseException:
            self.release()
            raise

    def _fill(self, opt: Optimizer, arrays: Mapping[str, Array], changes: int) -> None:
        of, to = [], []
        for name, a in arrays.items():
            if a.flags.forc:
                of.append(a)
                to.append(self.arrays[name])
            else:
                self.arrays[name][...] = a
        opt._plan.copy_out(of, to, changes)

    def release(self) -> None:
        """Keep the memory for the optimizer's next copy."""
        self.arrays.clear()
        opt = self._opt()
        if opt is not None:
            _kept[opt] = self._memory


def reserve(opt: Optimizer, arrays: Iterable[Array]) -> None:
    """Get the memory for a copy of arrays before it is made.

    Raises
    ------
    MemoryError
        There is none.
    """
    *_, size = _places(arrays)
    if opt not in _kept or len(_kept[opt]) < size:
        _kept.pop(opt, None)  # before there is another one
        memory = _fresh(size)
        np.frombuffer(memory, np.uint8)[:: mmap.PAGESIZE] = 0
        _kept[opt] = memory


def _places(arrays: Iterable[Array]) -> list[int]:
    """Return the place of each array's copy in memory, and the size of all."""
    sizes = (-(-a.nbytes // ALIGNED) * ALIGNED for a in arrays)
    return list(accumulate(sizes, initial=0))


def _fresh(size: int) -> mmap.mmap:
    flags = []
    if hasattr(mmap, "MAP_PRIVATE"):  # not on Windows, which takes none
        flags.append(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        memory = mmap.mmap(-1, max(size, 1), *flags)
    except OSError:
        raise MemoryError(
            f"save_async: found no memory for a copy of {size:,} bytes; opt.save() "
            "needs none"
        ) from None
    if hasattr(mmap, "MADV_HUGEPAGE"):  # Linux
        with suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _order(a: Array) -> Literal["C", "F"]:
    """Return the memory order of a copy."""
    return "F" if a.flags.fnc else "C"
