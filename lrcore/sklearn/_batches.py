"""The samples of a training set, in batches of another order in each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import issparse

from lrcore._shared.types import Array


class Batches:
    """The batches of an epoch, and of each one after it.

    x, y, weights : the samples, by their first axis; x may be sparse, weights None.
    size : of a batch; the last one has what is left.
    random : shuffles the samples before each epoch; None: they keep their order.
    """

    def __init__(
        self,
        x: Any,
        y: Array,
        weights: Array | None,
        size: int,
        random: np.random.RandomState | None,
    ) -> None:
        self._size, self._random, self._order = size, random, np.arange(len(y))
        self._pickers = [
            _picker(each, None if random is None else size) for each in (x, y, weights)
        ]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._order)

    def epoch(self) -> Iterator[tuple[Any, Array, Array | None]]:
        """Yield the x, y and weights of each batch, which are valid until the next."""
        if self._random is not None:
            # As sklearn.utils.shuffle, which permutes the order of the epoch before.
            self._order = self._order[self._random.permutation(len(self))]
        x, y, weights = self._pickers
        for start in range(0, len(self), self._size):
            batch: Any = slice(start, min(start + self._size, len(self)))
            if self._random is not None:
                batch = self._order[batch]
            yield x(batch), y(batch), weights(batch)


def _picker(samples: Any, size: int | None) -> Callable[[Any], Any]:
    """Return a function that picks rows of samples: by a slice, or by their numbers.

    size : the most numbers, or None for slices.
    """
    if samples is None:
        return lambda batch: None
    if issparse(samples):
        pick: Callable[[Any], Any] = samples.__getitem__
        return pick
    samples = np.ascontiguousarray(samples)  # whose rows lie together
    if size is None:
        return lambda batch: samples[batch]
    place = np.empty((size, *samples.shape[1:]), samples.dtype)
    # No number is out of range, and with "clip" NumPy writes to `place` directly.
    return lambda rows: samples.take(rows, 0, place[: len(rows)], "clip")
