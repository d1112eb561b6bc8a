"""What travels between ranks in a step: pieces of gradients, then of params."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lrcore._shared.types import Array
from lrcore.distributed._agreement import Agreement
from lrcore.distributed._consecutive import consecutive
from lrcore.distributed._protocol import Comm
from lrcore.distributed._rows import ALIGNED, Row, windows
from lrcore.distributed._shards import Shards
from lrcore.distributed._tree import additions

Arrays = Sequence[Array | None]
"""Arrays of one dimension, in the order of params; None: there is none."""


class Traffic:
    """Sends gradients to the ranks that own them, and params back to all.

    What a rank owns travels in rows of at most `row_bytes`, so that buffers are small:
    the first row of each rank, then the second of each, and so on.

    sent_bytes : what this rank has sent to others.
    """

    def __init__(
        self, comm: Comm, shards: Shards, dtypes: Sequence[np.dtype[Any]]
    ) -> None:
        self.comm, self.shards, self.dtypes = comm, shards, list(dtypes)
        self.sent_bytes = 0
        self._most = [-1] * comm.size  # blocks of each rank for which there is room
        self._windows: tuple[tuple[bool, ...], list[list[Row]]] | None = None
        self._buffers: dict[str, Array] = {}

    def has_room(self, n_blocks: Sequence[int]) -> bool:
        """Whether there is memory for steps with so many blocks of each rank.

        All ranks know the same.
        """
        if self.comm.size == 1 and n_blocks[0] <= 1:  # nothing is added or sent
            return True
        return all(n <= most for n, most in zip(n_blocks, self._most, strict=True))

    def get_room(self, n_blocks: Sequence[int]) -> None:
        """Get this memory, on all ranks or on none.

        It is enough whichever arrays have a gradient.

        Raises
        ------
        MemoryError, RuntimeError
            A rank has not so much memory: on every rank.
        """
        most = [*map(max, n_blocks, self._most)]
        self._most = [-1] * self.comm.size  # after an error, there may be less room
        with Agreement(self.comm, "step") as agreement:
            rank, all_of_them = self.comm.rank, (True,) * len(self.dtypes)
            windows = self.windows(all_of_them)
            whole = max((sum(row.n for row in rows) for rows in windows), default=0)
            own = max((rows[rank].n for rows in windows), default=0)
            self._buffer("sent", max(whole * most[rank], own))
            self._buffer("received", max(own * sum(most), whole))
            if any(most):
                self._results(all_of_them)
            agreement.results(None)
        self._most = most

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
        found = self._results(present)
        order = additions([begin for each in begins for begin in each])
        n_blocks = [len(each) for each in begins]
        with np.errstate(all="ignore"):
            for rows in self.windows(present):
                sent, sizes = self._sent(rows, blocks)
                own = rows[comm.rank]
                received = self._buffer("received", own.n * sum(n_blocks))
                comm.exchange(sent, sizes, received, [own.n * n for n in n_blocks])
                self.sent_bytes += sum(sizes) - sizes[comm.rank]
                sums = _split(received, own.n)
                for i, k in order if own.n else ():
                    for dtype, begin, end in own.parts:
                        left = sums[i][begin:end].view(dtype)
                        left += sums[k][begin:end].view(dtype)
                for piece in own.pieces:
                    whole = found[piece.i]
                    assert whole is not None  # it is present
                    first = piece.begin - self.shards.of(comm.rank, piece.i)[0]
                    end = first + piece.end - piece.begin
                    whole[first:end] = piece.of(sums[0])
        return found

    def gather(self, present: tuple[bool, ...], arrays: Sequence[Array]) -> None:
        """Fill in the elements of arrays that other ranks own."""
        comm = self.comm
        if comm.size == 1:
            return
        for rows in self.windows(present):
            own, sizes = rows[comm.rank], [row.n for row in rows]
            sent = self._buffer("sent", own.n)
            for piece in own.pieces:
                piece.of(sent)[...] = arrays[piece.i][piece.begin : piece.end]
            received = self._buffer("received", sum(sizes))
            comm.allgather(sent, received, sizes)
            self.sent_bytes += own.n * (comm.size - 1)
            parts = consecutive(received, sizes)
            for rank, (row, part) in enumerate(zip(rows, parts, strict=True)):
                for piece in row.pieces if rank != comm.rank else ():
                    arrays[piece.i][piece.begin : piece.end] = piece.of(part)

    def windows(self, present: tuple[bool, ...]) -> list[list[Row]]:
        """Return what travels together: a row of each rank, of present arrays."""
        if self._windows is None or self._windows[0] != present:
            self._windows = present, windows(self.shards, self.dtypes, present)
        return self._windows[1]

    def _sent(
        self, rows: Sequence[Row], blocks: Sequence[Sequence[Arrays]]
    ) -> tuple[Array, list[int]]:
        """Return the bytes of the own blocks for all ranks, and how many for each."""
        sizes = [row.n * len(blocks) for row in rows]
        sent = self._buffer("sent", sum(sizes))
        parts = consecutive(sent, sizes)
        for row, part in zip(rows, parts, strict=True):
            for terms, room in zip(blocks, _split(part, row.n), strict=False):
                _pack(row, terms, room)
        return sent, sizes

    def _results(self, present: tuple[bool, ...]) -> list[Array | None]:
        """Return arrays for the own elements of all sums, which are kept."""
        sizes = [
            (end - begin) * dtype.itemsize if there else 0
            for there, begin, end, dtype in zip(
                present,
                *(of[self.comm.rank] for of in (self.shards.begin, self.shards.end)),
                self.dtypes,
                strict=True,
            )
        ]
        rooms = [-(-size // ALIGNED) * ALIGNED for size in sizes]
        parts = consecutive(self._buffer("sums", sum(rooms)), rooms)
        return [
            part[:size].view(dtype) if there else None
            for there, part, size, dtype in zip(
                present, parts, sizes, self.dtypes, strict=True
            )
        ]

    def _buffer(self, name: str, n: int) -> Array:
        """Return a buffer of n bytes, which is kept for the next call."""
        kept = self._buffers.get(name)
        if kept is None or kept.size < n:
            self._buffers.pop(name, None)
            kept = self._buffers[name] = np.zeros(n, np.uint8)
        return kept[:n]


def _split(buffer: Array, n: int) -> list[Array]:
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
