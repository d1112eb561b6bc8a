"""The history of a run: at most 1,024 blocks of consecutive steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import frexp, isnan, nan
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import kind, shown
from lrcore.monitor._blocks import (
    BLOCKS,
    CHUNK,
    FIRST,
    LAST,
    LEAST,
    MEASURED,
    MOST,
    NUMBERS,
    SUMS,
    VALIDATION,
    WIDTH,
    Blocks,
    Step,
    joined,
)


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
    validation, entropy, kl, explained_variance : the last one given in the block; NaN
        without any.
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
    entropy: Array
    kl: Array
    explained_variance: Array


class Recorder:
    """Records the steps of a run.

    A step costs one append to `recent`; when CHUNK - 1 steps are there, `with_step`
    moves them into blocks, together with the next one.
    """

    def __init__(
        self,
        blocks: Blocks | None = None,
        recent: Iterable[Step] = (),
        late: float = nan,
    ) -> None:
        self._blocks = Blocks() if blocks is None else blocks
        self.recent = [*recent]  # steps that are not in the blocks yet
        self._late = late  # a validation loss of the last step in the blocks

    @property
    def taken(self) -> int:
        """The number of steps in the blocks."""
        return self._blocks.taken

    @property
    def steps(self) -> int:
        """The number of steps recorded."""
        return self._blocks.taken + len(self.recent)

    def with_step(self, step: Step) -> Recorder:
        """Return a recorder that has one step more; this one stays as it is."""
        recent = [*self.recent, step]
        if len(recent) < CHUNK:
            return Recorder(self._blocks, recent, self._late)
        return Recorder(self._blocks.followed_by(self._rows_of(recent)))

    def with_validation(self, value: float) -> Recorder:
        """Return a recorder with a validation loss of the last step.

        If that step is in the blocks already, it is recorded with the next one.
        """
        if not self.recent:
            return Recorder(self._blocks, (), value)
        last = _validated(self.recent[-1], value)
        return Recorder(self._blocks, [*self.recent[:-1], last], self._late)

    def _rows_of(self, recent: list[Step]) -> Array:
        rows = self._blocks.rows_of(recent)
        if np.isnan(rows[0, VALIDATION]):
            rows[0, VALIDATION] = self._late
        return rows

    def history(self) -> History:
        """Return all blocks; the last one may have fewer steps."""
        stride = self._blocks.stride
        parts = [self._blocks.rows, self._blocks.pending]
        if self.recent:
            steps = self._rows_of(self.recent)
            whole = len(steps) - len(steps) % stride
            parts += [joined(steps[:whole], stride)] if whole else []
            parts += [joined(steps[whole:], 0)] if whole < len(steps) else []
        rows = np.concatenate(parts)
        c = dict(zip(SUMS, rows.T, strict=False))
        with np.errstate(all="ignore"):
            norms = {
                name: c[name] / c["measured"]
                for name in ("grad_norm", "update_norm", "param_norm", "update_ratio")
            }
            return History(
                step=rows[:, FIRST],
                steps=c["steps"],
                loss=c["loss"] / c["finite"],
                low=rows[:, LEAST],
                high=rows[:, MOST],
                nonfinite=c["steps"] - c["finite"],
                wiggle=c["wiggle"] / c["distances"],
                turns=c["turns"] / c["steps"],
                lr=rows[:, LAST],
                nonfinite_grads=c["nonfinite_grads"],
                validation=rows[:, VALIDATION],
                entropy=rows[:, VALIDATION + 1],
                kl=rows[:, VALIDATION + 2],
                explained_variance=rows[:, VALIDATION + 3],
                **norms,
            )

    def state_dict(self) -> dict[str, Any]:
        """Return what `restored` takes."""
        blocks = self._blocks
        steps = np.array(self.recent, float).reshape(-1, NUMBERS)
        known = {
            i: x for i, x in enumerate(steps[:, MEASURED].tolist()) if not isnan(x)
        }
        if not isnan(self._late):
            known.setdefault(0, self._late)
        return {
            "rows": blocks.rows.copy(),
            "pending": blocks.pending.copy(),
            "recent": steps[:, :MEASURED].copy(),
            "before": np.array(blocks.before),
            "validation": np.array([*known.items()], float).reshape(-1, 2),
            "series": _sparse(steps[:, MEASURED + 1 :]),
        }

    @classmethod
    def restored(cls, saved: Any) -> Recorder:
        """Return a recorder that continues where the one that was saved stopped.

        Raises
        ------
        TypeError, ValueError
            `saved` is not from `state_dict`.
        """
        wanted = cls().state_dict()
        if isinstance(saved, Mapping) and saved.keys() == wanted.keys() - {"series"}:
            saved = _with_series(saved)
        if not isinstance(saved, Mapping) or saved.keys() != wanted.keys():
            raise ValueError(
                f"recorder: expected a dict of {list(wanted)}, found {kind(saved)}"
            )
        given = {
            name: _numbers(f"recorder: {name}", saved[name], own, most)
            for (name, own), most in zip(wanted.items(), _MOST_ROWS, strict=True)
        }
        rows, pending = given["rows"].copy(), given["pending"].copy()
        stride = _stride(rows[:, 0], pending[:, 0])
        last = max(len(given["recent"]) - 1, 0)
        for name in ("validation", "series"):
            places = given[name][:, 0]
            if not ((places >= 0) & (places <= last)).all():
                raise ValueError(
                    f"recorder: {name}: expected places from 0 to {last}, found others"
                )
        recent = _steps(given["recent"], given["series"])
        places, values = given["validation"].T
        late = nan
        for place, value in zip(places.tolist(), values.tolist(), strict=True):
            if recent:
                recent[int(place)] = _validated(recent[int(place)], value)
            else:
                late = value
        before = float(given["before"][0]), float(given["before"][1])
        taken = stride * len(rows) + int(pending[:, 0].sum())
        return cls(Blocks(rows, pending, stride, taken, before), recent, late)


# The most rows of each entry of `Recorder.state_dict`.
_MOST_ROWS = (BLOCKS, 1, CHUNK - 1, 2, CHUNK, CHUNK)


def _validated(step: Step, value: float) -> Step:
    """Return a step with another validation loss."""
    loss, lr, g, p, u, bad, _, entropy, kl, explained = step
    return loss, lr, g, p, u, bad, value, entropy, kl, explained


def _sparse(series: Array) -> Array:
    """Return the rows that are not all NaN, after their places."""
    places = np.flatnonzero(~np.isnan(series).all(axis=1))
    return np.column_stack([places, series[places]])


def _steps(measured: Array, series: Array) -> list[Step]:
    """Return recent steps from what is saved of them."""
    steps = np.full((len(measured), NUMBERS), nan)
    steps[:, :MEASURED] = measured
    steps[series[:, 0].astype(int), MEASURED + 1 :] = series[:, 1:]
    return list(map(tuple, steps.tolist()))


def _with_series(saved: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a recorder without series saved, with series that are empty.

    Earlier versions had none.
    """
    wider = {
        name: np.column_stack([rows, np.full((len(rows), WIDTH - VALIDATION - 1), nan)])
        for name in ("rows", "pending")
        if isinstance(rows := saved[name], np.ndarray)
        and rows.ndim == 2
        and rows.shape[1] == VALIDATION + 1
    }
    return {**saved, **wider, "series": np.zeros((0, NUMBERS - MEASURED))}


def _stride(full: Array, pending: Array) -> int:
    """Return the number of steps of each saved full block.

    full, pending : the numbers of steps of the saved rows.
    """
    stride = float(full[0]) if len(full) else 1.0
    if not (
        (full == stride).all()
        and 1 <= stride < 2**53
        and frexp(stride)[0] == 0.5
        and stride * len(full) % CHUNK == 0
        and ((pending > 0) & (pending < stride) & (pending % CHUNK == 0)).all()
    ):
        raise ValueError(
            "recorder: expected rows of 1 step each, or of 2, or 4, ..., and one of "
            f"less, all of a multiple of {CHUNK}; found others"
        )
    return int(stride)


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
