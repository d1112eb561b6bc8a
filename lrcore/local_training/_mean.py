"""The mean of a vector over ranks: the same bits on each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lrcore._shared.types import Array
from lrcore.distributed import Comm
from lrcore.distributed._consecutive import consecutive
from lrcore.local_training._codecs import BLOCK, Codec, Exact


class Mean:
    """Averages vectors of n elements, by a reduce-scatter and an all-gather.

    Rank r makes the mean of the elements [cuts[r], cuts[r + 1]), so that a rank sends
    ``2 (ranks - 1) / ranks`` times the bytes of a vector, as a ring does (Patarasuk &
    Yuan 2009).  Vectors are added in the order of ranks, in float64.

    Both halves pass the codec.  With x the vector, or the mean in its second half, and
    C the codec::

        y = x + e;   send C(y);   e = y - C(y)

    (Seide et al. 2014; of both halves, Tang et al. 2019, "DoubleSqueeze", algorithm 1).

    Attributes
    ----------
    error, error_of_mean : ndarray
        e of the own vectors and of the own part of the means; empty without a codec.
    sent_bytes : int
        What this rank has sent to others.
    """

    def __init__(self, comm: Comm, codec: Codec, n: int, dtype: np.dtype[Any]) -> None:
        self.comm, self.codec, self.dtype = comm, codec, dtype
        blocks, size = -(-n // BLOCK), comm.size
        self.cuts = [min(n, BLOCK * (blocks * r // size)) for r in range(size + 1)]
        self._exact = isinstance(codec, Exact)
        begin, end = self.own
        self.error = np.zeros(0 if self._exact else n, dtype)
        self.error_of_mean = np.zeros(0 if self._exact else end - begin, dtype)
        self.sent_bytes = 0
        self._new: tuple[Array, Array] = self.error, self.error_of_mean

    @property
    def own(self) -> tuple[int, int]:
        """The begin and end of the elements whose mean this rank makes."""
        return self.cuts[self.comm.rank], self.cuts[self.comm.rank + 1]

    def mean(self, vector: Array, included: Sequence[bool]) -> Array:
        """Return the mean of the vectors of the ranks that are included.

        `keep` keeps the errors of the codec; until then nothing has changed.

        included : for each rank; at least one.
        """
        comm, codec, dtype = self.comm, self.codec, self.dtype
        ranks = range(comm.size)
        sizes = [self.cuts[r + 1] - self.cuts[r] for r in ranks]
        n_bytes = [codec.n_bytes(n, dtype) for n in sizes]
        sent, error = np.empty(0, np.uint8), self.error
        if included[comm.rank]:
            sent, error = self._encoded(vector)
        sends = n_bytes if included[comm.rank] else [0] * comm.size
        own = n_bytes[comm.rank]
        receives = [own if included[r] else 0 for r in ranks]
        received = np.empty(sum(receives), np.uint8)
        comm.exchange(sent, sends, received, receives)

        total = np.zeros(sizes[comm.rank])
        for part in received.reshape(-1, own) if own else ():
            total += codec.decode(part, total.size, dtype)
        total /= sum(included)
        if not self._exact:
            total += self.error_of_mean
        encoded = codec.encode(total.astype(dtype))
        of_all = np.empty(sum(n_bytes), np.uint8)
        comm.allgather(encoded, of_all, n_bytes)
        found = np.concatenate(
            [
                codec.decode(part, n, dtype)
                for part, n in zip(consecutive(of_all, n_bytes), sizes, strict=True)
            ]
        )
        begin, end = self.own
        of_mean = self.error_of_mean
        if not self._exact:
            of_mean = (total - found[begin:end]).astype(dtype)
        self._new = error, of_mean
        others = comm.size - 1
        self.sent_bytes += sum(sends) - sends[comm.rank] + others * encoded.size
        return found

    def sent(self, vector: Array) -> None:
        """Be as after a `mean` in which this vector was included."""
        self._new = self._encoded(vector)[1], self.error_of_mean

    def keep(self) -> None:
        """Keep the errors of the last mean."""
        self.error, self.error_of_mean = self._new

    def _encoded(self, vector: Array) -> tuple[Array, Array]:
        """Return the bytes for all ranks, and what they lack of the vector."""
        codec = self.codec
        if self._exact:
            return codec.encode(vector), self.error
        y = vector + self.error
        parts = []
        for begin, end in zip(self.cuts, self.cuts[1:], strict=False):
            part = codec.encode(y[begin:end])
            y[begin:end] -= codec.decode(part, end - begin, self.dtype)
            parts.append(part)
        return np.concatenate(parts), y
