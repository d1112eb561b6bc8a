"""What the winner of a race has learnt, which can be adopted."""

from __future__ import annotations

from typing import Any

from lrcore._core import Commit
from lrcore._shared.words import shown
from lrcore.finder._kept import Kept, Progress
from lrcore.optimizers.base.optimizer import Optimizer


class Trained:
    """The params and state at the end of a trial, and of which optimizer they are.

    steps : the number of steps of the trial.
    lr : its rate.
    """

    def __init__(self, kept: Kept, progress: Progress, steps: int, lr: float) -> None:
        self.steps, self.lr = steps, lr
        self._kept, self._progress = kept, progress
        self._before: tuple[Any, ...] = ()

    def seal(self) -> None:
        """Remember how the optimizer is now that everything has been put back."""
        self._kept.forget_start()
        self._before = self._kept.fingerprint()

    def adopt(self, opt: Optimizer, rates: list[float]) -> None:
        """Give an optimizer what the trial has learnt, and its groups these rates.

        Raises
        ------
        ValueError
            It is not the optimizer that was tested.
        RuntimeError
            It has taken steps since the test, or its params have changed.
        """
        kept = self._kept
        if opt is not kept.opt:
            raise ValueError(
                f"opt: expected the optimizer that was tested, found {shown(opt)}; the "
                "trial has trained its params: use apply, which sets only the rate"
            )
        if self._before != kept.fingerprint():
            raise RuntimeError(
                "opt: expected params and a count of steps as they were at the end of "
                "the test, found others, which would be lost; adopt before you train, "
                "or use apply, which sets only the rate"
            )
        commit = Commit(opt._plan.lock)
        kept.add_to(commit, self._progress)
        owned = []  # rates that lrcore.torch has elsewhere
        for group, lr in zip(opt.param_groups, rates, strict=True):
            if callable(group["lr"]):
                owned.append((group["lr"], lr))
            else:
                group.change(commit, "lr", lr)
        commit.make()
        for owner, lr in owned:
            owner.set_lr(lr)
