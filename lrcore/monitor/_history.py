"""The history of a run: at most 1,024 blocks of consecutive steps."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import kind, shown

# The most blocks that are kept, and the steps added at once; both are powers of 2.
BLOCKS = 1024
CHUNK = 256

Step = tuple[float, float, float, float, float, float]
"""Loss, lr, squared norms of gradient, params and update, non-finite elements."""


class History(NamedTuple):
    """A run in blocks of consecutive steps: float64 arrays, a number for each block.

    step, steps : number of the block's first step, counted from 1, and of its steps.
    loss, low, high : mean, least and greatest of its finite losses; NaN if there are
        none.  If the optimizer maximizes, losses have the opposite sign here.
    nonfinite : number of steps whose loss was infinite or NaN.
    wiggle : mean distance between a loss and the one before it.
    turns : share of the steps at which the loss turned from rising to falling, or from
        falling to rising.
    lr : learning rate of the block's last step.
    grad_norm, update_norm, param_norm, update_ratio : means of what `Report` has; NaN
        without telemetry.
    nonfinite_grads : number of steps with a gradient that was not finite.
    validation : the last validation loss given in the block; NaN without any.
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


# A block is kept as a row of sums, and of least, greatest, first and last values.  The
# row of two blocks together follows from their rows.
_SUMS = (
    "steps", "finite", "loss", "distances", "wiggle", "turns", "nonfinite_grads",
    "measured", "grad_norm", "update_norm", "param_norm", "update_ratio",
)  # fmt: skip
_FIRST, _LEAST, _MOST, _LAST = range(len(_SUMS), len(_SUMS) + 4)
_VALIDATION = _LAST + 1
_WIDTH = _VALIDATION + 1


class Recorder:
    """Records steps in blocks; when all blocks are full, it joins them two by two.

    A step costs one append to `recent`; the rest is done for CHUNK steps at once.
    """

    def __init__(self) -> None:
        self._rows = np.zeros((BLOCKS, _WIDTH))
        self._n = 0  # rows in use
        self._stride = 1  # steps of a full row
        self._pending: list[Array] = []  # the row of a block that is not full
        self._before = (nan, nan)  # the last two losses in the blocks
        self._validation: dict[int, float] = {}  # by their index in `recent`
        self.recent: list[Step] = []  # steps that are not in the blocks yet
        self.taken = 0  # steps in the blocks

    def validation(self, value: float) -> None:
        """Record a validation loss with the last step.

        If that step is in the blocks already, it is recorded with the next one.
        """
        self._validation[max(len(self.recent) - 1, 0)] = value

    def take_up(self) -> None:
        """Move the CHUNK recent steps into the blocks."""
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
        """Return all blocks; the last one may have fewer steps."""
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

    def __getstate__(self) -> dict[str, Any]:
        """Leave the rows that are not in use out of a pickle."""
        return {**vars(self), "_rows": self._rows[: self._n]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _rows=np.zeros((BLOCKS, _WIDTH)))
        self._rows[: self._n] = state["_rows"]

    def state_dict(self) -> dict[str, Any]:
        """Return what `restored` takes."""
        return {
            "rows": self._rows[: self._n].copy(),
            "pending": np.array(self._pending, float).reshape(-1, _WIDTH),
            "recent": np.array(self.recent, float).reshape(-1, _RECENT),
            "before": np.array(self._before),
            "validation": np.array([*self._validation.items()], float).reshape(-1, 2),
        }

    @classmethod
    def restored(cls, saved: Any) -> Recorder:
        """Return a recorder that continues where the one that was saved stopped.

        Raises
        ------
        TypeError, ValueError
            `saved` is not from `state_dict`.
        """
        new = cls()
        wanted = new.state_dict()
        if not isinstance(saved, Mapping) or saved.keys() != wanted.keys():
            raise ValueError(
                f"recorder: expected a dict of {list(wanted)}, found {kind(saved)}"
            )
        given = {
            name: _numbers(f"recorder: {name}", saved[name], own, most)
            for (name, own), most in zip(wanted.items(), _MOST_ROWS, strict=True)
        }
        rows, pending = given["rows"], given["pending"]
        steps = np.concatenate([rows[:, 0], pending[:, 0]])
        places = given["validation"][:, 0]
        if not ((steps >= 1) & (steps < 2**53)).all():
            raise ValueError("recorder: expected rows of 1 to 2^53 steps, found others")
        if not ((places >= 0) & (places < CHUNK)).all():
            raise ValueError(
                f"recorder: validation: expected places from 0 to {CHUNK - 1}, found "
                "others"
            )
        new._n = len(rows)
        new._rows[: new._n] = rows
        new._stride = int(rows[0, 0]) if len(rows) else 1
        new._pending = [row.reshape(1, -1) for row in pending]
        new._before = (float(given["before"][0]), float(given["before"][1]))
        new._validation = {int(i): x for i, x in given["validation"].tolist()}
        new.recent = [tuple(step) for step in given["recent"].tolist()]
        new.taken = int(steps.sum())
        return new


# The most rows of what `Recorder.state_dict` returns.
_RECENT = 6
_MOST_ROWS = (BLOCKS, 1, CHUNK - 1, 2, CHUNK)


def _numbers(name: str, value: Any, like: Array, most: int) -> Array:
    """Check a saved array: float64, with the columns of another, and not too long."""
    fits = (
        isinstance(value, np.ndarray)
        and value.dtype == np.float64
        and value.ndim == like.ndim
        and value.shape[1:] == like.shape[1:]
        and value.shape[0] <= most
        and (like.ndim > 1 or value.shape == like.shape)
    )
    if not fits:
        raise ValueError(
            f"{name}: expected an array of state_dict, found {shown(value)}"
        )
    array: Array = value
    return array


@np.errstate(over="ignore", invalid="ignore")
def _joined(rows: Array, size: int) -> Array:
    """Join each `size` rows to one; with size 0, all rows."""
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
