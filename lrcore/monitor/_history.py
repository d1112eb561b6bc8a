"""The history of a run: at most 1,024 blocks of consecutive steps."""

from __future__ import annotations

from math import nan
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.types import Array
from lrcore.monitor import _saved
from lrcore.monitor._blocks import (
    CHUNK,
    FIRST,
    LAST,
    LEAST,
    MOST,
    NONE,
    SUMS,
    VALIDATION,
    Blocks,
    Step,
    joined,
    with_validation,
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
        recent: list[Step] | None = None,
        late: float = nan,
        made: Array = NONE,
    ) -> None:
        self._blocks = Blocks() if blocks is None else blocks
        self.recent = [] if recent is None else recent  # steps not in the blocks yet
        self._late = late  # a validation loss of the last step in the blocks
        self._made = made  # the rows of the first of the recent steps

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
        new = Recorder(self._blocks, recent, self._late, self._made)
        if len(recent) < CHUNK:
            return new
        return Recorder(self._blocks.followed_by(new._rows()))

    def with_validation(self, value: float) -> Recorder:
        """Return a recorder with a validation loss of the last step.

        If that step is in the blocks already, it is recorded with the next one.
        """
        if not self.recent:
            return Recorder(self._blocks, [], value)
        *before, last = self.recent
        recent = [*before, with_validation(last, value)]
        return Recorder(self._blocks, recent, self._late, self._made[: len(before)])

    def _rows(self) -> Array:
        """Return a row for each of the recent steps; each is made once."""
        made = self._made
        steps = self.recent[len(made) :]
        if steps:
            new = self._blocks.rows_of(steps, made)
            if not len(made) and np.isnan(new[0, VALIDATION]):
                new[0, VALIDATION] = self._late
            self._made = made = np.concatenate([made, new])
        return made

    def history(self) -> History:
        """Return all blocks; the last one may have fewer steps."""
        stride = self._blocks.stride
        parts = [self._blocks.rows, self._blocks.pending]
        if self.recent:
            steps = self._rows()
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
        return _saved.saved(self._blocks, self.recent, self._late)

    @classmethod
    def restored(cls, saved: Any) -> Recorder:
        """Return a recorder that continues where the one that was saved stopped.

        Raises
        ------
        TypeError, ValueError
            `saved` is not from `state_dict`.
        """
        return cls(*_saved.restored(saved))
