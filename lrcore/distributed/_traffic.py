"""What travels between ranks in a step: pieces of gradients, then of params."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.distributed._protocol import Comm
from lrcore.distributed._shards import Shards
from lrcore.distributed._tree import additions

_ALIGNED = 64

Arrays = Sequence[Array | None]
"""Arrays of one dimension, in the order of params; None: there is none."""


class Piece(NamedTuple):
    """The elements [begin, end) of array i, and where their bytes are in a row."""

    i: int
    begin: int
    end: int
    at: int
    dtype: np.dtype[Any]

    def of(self, row: Array) -> Array:
        """Return the piece in a row of bytes."""
        n = (self.end - self.begin) * self.dtype.itemsize
        return row[self.at : self.at + n].view(self.dtype)


class Row(NamedTuple):
    """The pieces that a rank owns, one after the other: those of large types first.

    n : bytes, with what aligns the next row.
    parts : for each type, its bytes: begin and end.
    """

    pieces: list[Piece]
    n: int
    parts: list[tuple[np.dtype[Any], int, int]]


class Traffic:
    """Sends gradients to the ranks that own them, and params back to all.

    sent_bytes : what this rank has sent to others.
    """

    def __init__(
        self, comm: Comm, shards: Shards, dtypes: Sequence[np.dtype[Any]]
    ) -> None:
        self.comm, self.shards, self.dtypes = comm, shards, list(dtypes)
        self.sent_bytes = 0
        self._rows: tuple[tuple[bool, ...], list[Row]] | None = None
        self._buffers: dict[str, Array] = {}

    def reduce(
        self,
        present: tuple[bool, ...],
        begins: Sequence[Sequence[int]],
        blocks: Sequence[Sequence[Arrays]],
    ) -> list[Array | None]:
        """Return the own elements of the sum over all ranks; None of what is absent.

        The arrays are valid until the next call.

        present : which arrays have a gradient.
        begins : where the blocks of each rank begin: see `_tree`.
        blocks : those of this rank: arrays to be added, the second to the first and so
            on; None counts as 0 where another one is present.
        """
        comm = self.comm
        if comm.size == len(blocks) == len(blocks[0]) == 1:  # there is nothing to add
            return [*blocks[0][0]]
        rows = self.rows(present)
        own = rows[comm.rank]
        sizes = [row.n * len(blocks) for row in rows]
        sent = self._buffer("sent", sum(sizes))
        parts = np.split(sent, np.cumsum(sizes)[:-1])
        with np.errstate(all="ignore"):
            for row, part in zip(rows, parts, strict=True):
                for terms, room in zip(blocks, _rows(part, row.n), strict=False):
                    _pack(row, terms, room)
            n_blocks = [len(each) for each in begins]
            received = self._buffer("received", own.n * sum(n_blocks))
            comm.exchange(sent, sizes, received, [own.n * n for n in n_blocks])
            self.sent_bytes += sum(sizes) - sizes[comm.rank]
            sums = _rows(received, own.n)
            for i, k in additions([begin for each in begins for begin in each]):
                for dtype, begin, end in own.parts:
                    left = sums[i][begin:end].view(dtype)
                    left += sums[k][begin:end].view(dtype)
        found: list[Array | None] = [None] * len(self.dtypes)
        for i, dtype in enumerate(self.dtypes):
            if present[i]:
                found[i] = np.empty(0, dtype)
        for piece in own.pieces:
            found[piece.i] = piece.of(sums[0])
        return found

    def gather(self, present: tuple[bool, ...], arrays: Sequence[Array]) -> None:
        """Fill in the elements of arrays that other ranks own."""
        comm = self.comm
        if comm.size == 1:
            return
        rows = self.rows(present)
        own, sizes = rows[comm.rank], [row.n for row in rows]
        sent = self._buffer("sent", own.n)
        for piece in own.pieces:
            piece.of(sent)[...] = arrays[piece.i][piece.begin : piece.end]
        received = self._buffer("received", sum(sizes))
        comm.allgather(sent, received, sizes)
        self.sent_bytes += own.n * (comm.size - 1)
        parts = np.split(received, np.cumsum(sizes)[:-1])
        for rank, (row, part) in enumerate(zip(rows, parts, strict=True)):
            for piece in row.pieces if rank != comm.rank else ():
                arrays[piece.i][piece.begin : piece.end] = piece.of(part)

    def rows(self, present: tuple[bool, ...]) -> list[Row]:
        """Return the row of each rank, of the arrays that are present."""
        if self._rows is None or self._rows[0] != present:
            ranks = range(self.comm.size)
            self._rows = present, [self._row(rank, present) for rank in ranks]
        return self._rows[1]

    def _row(self, rank: int, present: tuple[bool, ...]) -> Row:
        begin, end = self.shards.begin[rank].tolist(), self.shards.end[rank].tolist()
        own = [i for i, b in enumerate(begin) if present[i] and b < end[i]]
        pieces, parts, at = [], [], 0
        for dtype in sorted({self.dtypes[i] for i in own}, key=lambda d: -d.itemsize):
            first = at
            for i in own:
                if self.dtypes[i] == dtype:
                    pieces.append(Piece(i, begin[i], end[i], at, dtype))
                    at += (end[i] - begin[i]) * dtype.itemsize
            parts.append((dtype, first, at))
        return Row(pieces, -(-at // _ALIGNED) * _ALIGNED, parts)

    def _buffer(self, name: str, n: int) -> Array:
        """Return a buffer of n bytes, which is kept for the next call."""
        kept = self._buffers.get(name)
        if kept is None or kept.size < n:
            self._buffers.pop(name, None)
            kept = self._buffers[name] = np.zeros(n, np.uint8)
        return kept[:n]


def _rows(buffer: Array, n: int) -> list[Array]:
    """Return the rows of n bytes of a buffer."""
    return [buffer[at : at + n] for at in range(0, buffer.size, n)] if n else []


def _pack(row: Row, terms: Sequence[Arrays], room: Array) -> None:
    """Write the pieces of a block's sum."""
    for piece in row.pieces:
        out = piece.of(room)
        first = terms[0][piece.i]
        out[...] = 0 if first is None else first[piece.begin : piece.end]
        for others in terms[1:]:
            other = others[piece.i]
            out += 0 if other is None else other[piece.begin : piece.end]
