"""What a monitor keeps of a run: blocks of steps, their number bounded."""

from __future__ import annotations

from math import inf, nan
from typing import NamedTuple

import numpy as np

from lrcore._shared.types import Array

# Blocks kept at most, and steps that are taken up at once; powers of 2.
BLOCKS = 1024
CHUNK = 256

Step = tuple[float, float, float, float, float, float]
"""Loss, lr, sums of squares of gradient, params and update, non-finite elements."""


class History(NamedTuple):
    """A run in blocks of consecutive steps: an array of a number for each, float64.

    step, steps : the first step, counted from 1, and how many.
    loss, low, high : mean, least and greatest of those that are finite; NaN if none is.
    nonfinite : steps whose loss was infinite or NaN.
    wiggle, turns : mean distance of a loss from the one before it; share of the steps
        in which the loss turned from rising to falling or back.
    lr : of the last step.
    grad_norm, update_norm, param_norm, update_ratio : means, as of `Report`; NaN
        without telemetry.
    nonfinite_grads : steps whose gradients were not all finite.
    validation : the last that was given in the block, else NaN.
    """

    step: Array
    steps: Array
    loss: Array
    low: Array
    high: Array
    nonfinite: Array
    wiggle: Array
    turns: Array
    lr: Array
    grad_norm: Array
    update_norm: Array
    param_norm: Array
    update_ratio: Array
    nonfinite_grads: Array
    validation: Array


# Columns of a row, in which a block is kept: sums, so that blocks can be joined.
_SUMS = (
    "steps", "finite", "loss", "distances", "wiggle", "turns", "nonfinite_grads",
    "measured", "grad_norm", "update_norm", "param_norm", "update_ratio",
)  # fmt: skip
_FIRST, _LEAST, _MOST, _LAST = range(len(_SUMS), len(_SUMS) + 4)
_VALIDATION = _LAST + 1
_WIDTH = _VALIDATION + 1


class Recorder:
    """Takes up steps in blocks, and joins two to one each time there is no room.

    A step costs one append; the rest is done for CHUNK of them together.
    """

    def __init__(self) -> None:
        self._rows = np.empty((BLOCKS, _WIDTH))
        self._n = 0
        self._stride = 1  # steps of a full row
        self._pending: list[Array] = []  # the row of a block that is not full
        self._before = (nan, nan)  # the last two losses taken up
        self._validation: dict[int, float] = {}  # of steps to be taken up
        self.recent: list[Step] = []  # steps to be taken up; append to it
        self.taken = 0  # steps taken up

    def validation(self, value: float) -> None:
        """Give the last step a validation loss; the next one, where it is taken up."""
        self._validation[max(len(self.recent) - 1, 0)] = value

    def take_up(self) -> None:
        """Join CHUNK recent steps to the blocks."""
        steps = self._steps()
        losses = steps[-2:, _LEAST]
        self._before = (float(losses[0]), float(losses[1]))
        self.taken += len(self.recent)
        self.recent.clear()
        self._validation.clear()
        if self._stride <= CHUNK:
            self._add(_joined(steps, self._stride))
            return
        block = _joined(np.concatenate([*self._pending, steps]), 0)
        self._pending.clear()
        if block[0, 0] == self._stride:
            self._add(block)
        else:
            self._pending.append(block)

    def _add(self, rows: Array) -> None:
        if self._n + len(rows) > BLOCKS:
            self._n //= 2
            self._rows[: self._n] = _joined(self._rows[: 2 * self._n], 2)
            self._stride *= 2
            if len(rows) > 1:
                rows = _joined(rows, 2)
            else:
                self._pending.append(rows)
                return
        self._rows[self._n : self._n + len(rows)] = rows
        self._n += len(rows)

    def _steps(self) -> Array:
        """Return a row for each recent step."""
        given = np.array(self.recent, float).reshape(-1, 6)
        loss, lr, g, p, u, bad = given.T
        rows = np.zeros((len(given), _WIDTH))
        with np.errstate(all="ignore"):
            column = dict(zip(_SUMS, rows.T, strict=False))
            finite = np.isfinite(loss)
            known_loss = np.where(finite, loss, nan)
            moves = np.diff(known_loss, prepend=self._before)
            column["steps"][:] = 1
            column["finite"][:] = finite
            column["loss"][:] = np.where(finite, loss, 0)
            known = np.isfinite(moves[1:])
            column["distances"][:] = known
            column["wiggle"][:] = np.where(known, abs(moves[1:]), 0)
            column["turns"][:] = np.sign(moves[1:]) * np.sign(moves[:-1]) < 0
            column["nonfinite_grads"][:] = bad > 0
            norms = np.sqrt([g, u, p])
            measured = np.isfinite(norms).all(axis=0)
            column["measured"][:] = measured
            ratio = norms[1] / norms[2]
            norms = np.vstack([norms, np.where(np.isfinite(ratio), ratio, 0)])
            rows[:, 8:12] = np.where(measured, norms, 0).T
        rows[:, _FIRST] = np.arange(self.taken + 1, self.taken + len(given) + 1)
        rows[:, _LEAST] = rows[:, _MOST] = known_loss
        rows[:, _LAST] = lr
        rows[:, _VALIDATION] = nan
        for i, value in self._validation.items():
            rows[i, _VALIDATION] = value
        return rows

    def history(self) -> History:
        """Return all blocks, the last one as far as it has come."""
        parts = [self._rows[: self._n]]
        parts += self._pending
        if self.recent:
            steps = self._steps()
            whole = len(steps) - len(steps) % self._stride
            parts += [_joined(steps[:whole], self._stride)] if whole else []
            parts += [_joined(steps[whole:], 0)] if whole < len(steps) else []
        rows = np.concatenate(parts)
        c = dict(zip(_SUMS, rows.T, strict=False))
        with np.errstate(all="ignore"):
            norms = {
                name: c[name] / c["measured"]
                for name in ("grad_norm", "update_norm", "param_norm", "update_ratio")
            }
            return History(
                step=rows[:, _FIRST],
                steps=c["steps"],
                loss=c["loss"] / c["finite"],
                low=rows[:, _LEAST],
                high=rows[:, _MOST],
                nonfinite=c["steps"] - c["finite"],
                wiggle=c["wiggle"] / c["distances"],
                turns=c["turns"] / c["steps"],
                lr=rows[:, _LAST],
                nonfinite_grads=c["nonfinite_grads"],
                validation=rows[:, _VALIDATION],
                **norms,
            )


@np.errstate(over="ignore", invalid="ignore")
def _joined(rows: Array, size: int) -> Array:
    """Return a row for each `size` rows; 0 joins all to one."""
    if size == 1:
        return rows
    groups = rows.reshape(-1, size or len(rows), _WIDTH)
    joined = np.empty((len(groups), _WIDTH))
    joined[:, : len(_SUMS)] = groups[:, :, : len(_SUMS)].sum(axis=1)
    joined[:, _FIRST] = groups[:, 0, _FIRST]
    joined[:, _LEAST] = np.fmin.reduce(groups[:, :, _LEAST], axis=1, initial=inf)
    joined[:, _MOST] = np.fmax.reduce(groups[:, :, _MOST], axis=1, initial=-inf)
    joined[:, _LAST] = groups[:, -1, _LAST]
    joined[:, _VALIDATION] = groups[:, 0, _VALIDATION]
    for i in range(1, groups.shape[1]):
        later = groups[:, i, _VALIDATION]
        np.copyto(joined[:, _VALIDATION], later, where=~np.isnan(later))
    none = joined[:, _LEAST] > joined[:, _MOST]
    joined[none, _LEAST] = joined[none, _MOST] = nan
    return joined
