"""How what ranks own is laid out in messages: pieces of arrays, in rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.distributed._shards import Shards

WINDOW = 1 << 23
"""Bytes that travel together, of all ranks: larger windows are no faster on 2 ranks,
smaller ones are slower (``bench/overlap.py``)."""

ROW = 1 << 18
"""Bytes of them that are at least for each rank, if there are so many.

On a link of 12.5 GB/s and 5 us of latency, they travel for four times that time.
"""

ALIGNED = 64
"""Bytes of which each row has a multiple."""


def row_bytes(size: int) -> int:
    """Return the most bytes that travel together for each of so many ranks."""
    return max(WINDOW // size, ROW, ALIGNED) // ALIGNED * ALIGNED


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
    """Pieces that a rank owns, one after the other: those of large types first.

    n : bytes, with what aligns the next row.
    parts : for each type, its bytes: begin and end.
    """

    pieces: list[Piece]
    n: int
    parts: list[tuple[np.dtype[Any], int, int]]


def windows(
    shards: Shards, dtypes: Sequence[np.dtype[Any]], present: Sequence[bool]
) -> list[list[Row]]:
    """Return what travels together: a row of each rank, of present arrays."""
    of_ranks = [_rows(shards, rank, dtypes, present) for rank in range(shards.size)]
    none = Row([], 0, [])
    return [[*each] for each in zip_longest(*of_ranks, fillvalue=none)]


def _rows(
    shards: Shards, rank: int, dtypes: Sequence[np.dtype[Any]], present: Sequence[bool]
) -> list[Row]:
    """Return the rows of a rank."""
    begin, end = shards.begin[rank].tolist(), shards.end[rank].tolist()
    own = [i for i, b in enumerate(begin) if present[i] and b < end[i]]
    most = row_bytes(shards.size)
    rows: list[list[Piece]] = []
    at = most
    for i in sorted(own, key=lambda i: -dtypes[i].itemsize):
        size, first = dtypes[i].itemsize, begin[i]
        while first < end[i]:
            if at == most:
                rows.append([])
                at = 0
            last = min(first + (most - at) // size, end[i])
            rows[-1].append(Piece(i, first, last, at, dtypes[i]))
            at += (last - first) * size
            first = last
    return [_row(pieces) for pieces in rows]


def _row(pieces: list[Piece]) -> Row:
    """Return the row of these pieces."""
    parts: list[tuple[np.dtype[Any], int, int]] = []
    end = 0
    for piece in pieces:
        end = piece.at + (piece.end - piece.begin) * piece.dtype.itemsize
        if parts and parts[-1][0] == piece.dtype:
            parts[-1] = piece.dtype, parts[-1][1], end
        else:
            parts.append((piece.dtype, piece.at, end))
    return Row(pieces, -(-end // ALIGNED) * ALIGNED, parts)
