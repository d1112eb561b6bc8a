"""Blocks of consecutive steps: what is kept of a run, in bounded memory.

A block is a row of sums, and of least, greatest, first and last values.  The row of two
blocks together follows from their rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import inf, nan
from typing import NamedTuple

import numpy as np

from lrcore._shared.types import Array

# The most blocks that are kept, and the steps added at once; both are powers of 2.
BLOCKS = 1024
CHUNK = 256

Step = tuple[
    float, float, float, float, float, float, float, float, float, float
]  # fmt: skip
"""Loss, lr, squared norms of gradient, params and update, non-finite elements; then the
series: validation loss, entropy, divergence, explained variance (NaN: none)."""
NUMBERS = 10
MEASURED = 6  # the numbers before the series

# The columns of a row: sums over its steps, then other values.
SUMS = (
    "steps", "finite", "loss", "distances", "wiggle", "turns", "nonfinite_grads",
    "measured", "grad_norm", "update_norm", "param_norm", "update_ratio",
)  # fmt: skip
NORMS = slice(SUMS.index("grad_norm"), len(SUMS))
FIRST, LEAST, MOST, LAST = range(len(SUMS), len(SUMS) + 4)
VALIDATION = LAST + 1  # the first of the series
WIDTH = VALIDATION + NUMBERS - MEASURED


NONE = np.zeros((0, WIDTH))
"""No rows."""


def with_validation(step: Step, loss: float) -> Step:
    """Return a step with another validation loss."""
    now, lr, g, p, u, bad, _, entropy, kl, explained = step
    return now, lr, g, p, u, bad, loss, entropy, kl, explained


class Blocks(NamedTuple):
    """The rows of a run's blocks; when there are too many, they are joined in pairs.

    rows : of the full blocks, at most BLOCKS.
    pending : of a block that is not full, if there is one.
    stride : the number of steps of a full block, a power of 2.
    taken : the number of steps in all blocks.
    before : the last two losses; the next one is compared with them.
    """

    rows: Array = NONE
    pending: Array = NONE
    stride: int = 1
    taken: int = 0
    before: tuple[float, float] = (nan, nan)

    def followed_by(self, steps: Array) -> Blocks:
        """Return the blocks of this run after CHUNK further steps, a row for each."""
        rows, stride = self.rows, self.stride
        if stride <= CHUNK:
            full, pending = joined(steps, stride), NONE
        else:
            full, pending = joined(np.concatenate([self.pending, steps]), 0), NONE
            if full[0, 0] < stride:
                full, pending = NONE, full
        if len(rows) + len(full) > BLOCKS:
            rows, stride = joined(rows, 2), 2 * stride
            if len(full) > 1:
                full = joined(full, 2)
            else:
                full, pending = NONE, full
        return Blocks(
            np.concatenate([rows, full]) if len(full) else rows,
            pending,
            stride,
            self.taken + len(steps),
            (float(steps[-2, LEAST]), float(steps[-1, LEAST])),
        )

    def rows_of(self, steps: Sequence[Step], made: Array = NONE) -> Array:
        """Return a row for each of the steps that follow these blocks.

        made : the rows of steps between the blocks and these, if there are any.
        """
        # np.array takes almost twice as long for a list of tuples.
        numbers = np.fromiter(chain.from_iterable(steps), float, NUMBERS * len(steps))
        given = numbers.reshape(-1, NUMBERS).T
        loss, lr, *_, bad = given[:MEASURED]
        rows = np.zeros((len(steps), WIDTH))
        column = dict(zip(SUMS, rows.T, strict=False))
        with np.errstate(all="ignore"):
            finite = np.isfinite(loss)
            seen = np.where(finite, loss, nan)
            before = [*self.before, *made[-2:, LEAST]][-2:]
            losses = np.concatenate([before, seen])
            moves = losses[1:] - losses[:-1]
            signs, distances = np.sign(moves), abs(moves[1:])
            known = np.isfinite(distances)
            column["steps"][:] = 1
            column["finite"][:] = finite
            np.copyto(column["loss"], loss, where=finite)
            column["distances"][:] = known
            np.copyto(column["wiggle"], distances, where=known)
            column["turns"][:] = signs[1:] * signs[:-1] < 0
            column["nonfinite_grads"][:] = bad > 0
            g, p, u = norms = np.sqrt(given[2:5])
            measured = np.isfinite(norms).all(axis=0)
            if measured.any():
                ratio = u / p
                ratio[~np.isfinite(ratio)] = 0
                column["measured"][:] = measured
                rows[:, NORMS] = np.where(measured, (g, u, p, ratio), 0).T
        first = self.taken + len(made) + 1
        rows[:, FIRST] = np.arange(first, first + len(steps))
        rows[:, LEAST] = rows[:, MOST] = seen
        rows[:, LAST] = lr
        rows[:, VALIDATION:] = given[MEASURED:].T
        return rows


@np.errstate(over="ignore", invalid="ignore")
def joined(rows: Array, size: int) -> Array:
    """Join each `size` rows to one; with size 0, all rows."""
    if size == 1:
        return rows
    groups = rows.reshape(-1, size or len(rows), WIDTH)
    out = np.empty((len(groups), WIDTH))
    out[:, : len(SUMS)] = groups[:, :, : len(SUMS)].sum(axis=1)
    out[:, FIRST] = groups[:, 0, FIRST]
    out[:, LEAST] = np.fmin.reduce(groups[:, :, LEAST], axis=1, initial=inf)
    out[:, MOST] = np.fmax.reduce(groups[:, :, MOST], axis=1, initial=-inf)
    out[:, LAST] = groups[:, -1, LAST]
    out[:, VALIDATION:] = _last_given(groups[:, :, VALIDATION:])
    none = out[:, LEAST] > out[:, MOST]
    out[none, LEAST] = out[none, MOST] = nan
    return out


def _last_given(series: Array) -> Array:
    """Return the last number of each row in each group that is not NaN, if any.

    series : by group, step and number.
    """
    given = ~np.isnan(series)
    if not given.any():
        return series[:, 0]
    last = series.shape[1] - 1 - given[:, ::-1].argmax(axis=1)
    values: Array = np.take_along_axis(series, last[:, None], axis=1)[:, 0]
    return values
