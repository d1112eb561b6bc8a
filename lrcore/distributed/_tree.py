r"""The order in which gradients are added, whatever the number of ranks.

Micro-batches stand in a row, those of rank 0 first.  Their sum is that of a binary tree
over their places: neighbours are added, then neighbours of these sums, and so on::

    place       0   1   2   3   4
                 \ /     \ /    |
                  +       +     |
                   \     /      |
                    \   /      /
                      +       /
                       \     /
                          +

A block is the places [begin, begin + size) with a size of 2^k, of which begin is a
multiple: the places below one node.  A rank adds up its own blocks, and no more; the
rest of the tree is added where the sums meet.  A place without a micro-batch is left
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrcore._shared.types import Array


class Block(NamedTuple):
    """The sum of the gradients of a block of micro-batches; None: there was none."""

    begin: int
    size: int
    grads: list[Array | None]


class Kept:
    """The sums of the micro-batches that a rank has had since the last step.

    first : the place of the rank's first micro-batch.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.count = 0
        self.blocks: list[Block] = []

    def add(self, grads: Sequence[Array | None]) -> None:
        """Add a micro-batch's gradients, which the caller may overwrite afterwards."""
        begin, size = self.first + self.count, 1
        merged = self.merged(begin)
        # All memory is taken before a sum changes.
        fresh = [
            g.copy() if g is not None and (not merged or left is None) else None
            for g, left in zip(grads, self._last(len(grads)), strict=True)
        ]
        total: list[Array | None] = fresh
        with np.errstate(all="ignore"):
            for k, block in enumerate(merged):
                begin, size = block.begin, 2 * size
                added = grads if k == 0 else total
                total = [
                    _added(left, right, new if k == 0 else None)
                    for left, right, new in zip(block.grads, added, fresh, strict=True)
                ]
        del self.blocks[len(self.blocks) - len(merged) :]
        self.blocks.append(Block(begin, size, total))
        self.count += 1

    def merged(self, begin: int) -> list[Block]:
        """Return the blocks to which the micro-batch at a place is added, in turn."""
        found, size = [], 1
        for block in reversed(self.blocks):
            if block.size != size or begin % (2 * size) != size:
                break
            found.append(block)
            begin, size = block.begin, 2 * size
        return found

    def multiply(self, factor: float) -> None:
        """Multiply all sums."""
        with np.errstate(all="ignore"):
            for g in self.arrays:
                np.multiply(g, g.dtype.type(factor), out=g)

    @property
    def arrays(self) -> list[Array]:
        """All sums."""
        return [g for block in self.blocks for g in block.grads if g is not None]

    def _last(self, n: int) -> Sequence[Array | None]:
        return self.blocks[-1].grads if self.blocks else [None] * n


def _added(left: Array | None, right: Array | None, copy: Array | None) -> Array | None:
    """Return left + right, in the place of the left; one that is None counts as 0.

    copy : of the right, if there is no left.
    """
    if left is None:
        right = right if copy is None else copy
        return right if right is None else np.add(right, 0, out=right)
    return np.add(left, 0 if right is None else right, out=left)


def blocks(first: int, count: int) -> list[int]:
    """Return where the blocks of count places, from `first` on, begin."""
    begins = []
    while count > 0:
        begins.append(first)
        size = 1
        while first % (2 * size) == 0 and 2 * size <= count:
            size *= 2
        first, count = first + size, count - size
    return begins


def additions(begins: Sequence[int]) -> list[tuple[int, int]]:
    """Return in which order the sums of blocks are added: (i, k) adds sum k to sum i.

    begins : where the blocks begin, in ascending order.  Sum 0 becomes that of all.
    """
    pairs: list[tuple[int, int]] = []

    def add(lo: int, hi: int) -> None:
        if hi - lo > 1:
            half = 1 << ((begins[lo] ^ begins[hi - 1]).bit_length() - 1)
            mid = next(k for k in range(lo, hi) if begins[k] & half)
            add(lo, mid)
            add(mid, hi)
            pairs.append((lo, mid))

    add(0, len(begins))
    return pairs
