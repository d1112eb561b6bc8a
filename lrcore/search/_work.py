"""The work of one process: it runs trials from the queue."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from lrcore._shared.words import shortened, shown
from lrcore.search._losses import Diverged, follow
from lrcore.search._plan import Plan
from lrcore.search._queue import AHEAD, any_queued, completed, fill, sign, slot_of


class _Surplus(Exception):  # noqa: N818 # no error: it ends a trial
    """Ends a trial whose slot another trial has."""


class _Caught(Exception):  # noqa: N818 # no error: it ends a trial
    """Ends a trial whose exception `Plan.catch` includes."""


Done = Callable[[FrozenTrial], bool]
"""Called after each completed trial; returns whether to go on."""


def work(study: optuna.Study, plan: Plan, done: Done) -> None:
    """Run trials until the queue is empty or the time is up.

    An exception of the objective that `Plan.catch` does not include is raised; its
    trial is marked as failed.
    """

    def more() -> bool:
        optuna.storages.fail_stale_trials(study)
        return any_queued(study, plan) or bool(fill(study, plan))

    def after(study: optuna.Study, trial: FrozenTrial) -> None:
        go_on = done(trial) if completed(trial) else True
        if not (go_on and more()):
            study.stop()

    left = plan.deadline - time.time()
    if left <= 0 or not more():
        return
    study.optimize(
        lambda trial: _evaluate(trial, plan),
        timeout=left if math.isfinite(left) else None,
        catch=(_Surplus, _Caught),
        callbacks=[after],
    )


def _evaluate(trial: Trial, plan: Plan) -> float:
    trial.set_user_attr("worker", sign())
    slot = slot_of(trial)
    if slot not in range(len(plan.points)):
        raise _Surplus
    for other in trial.study.get_trials(deepcopy=False):
        if other.number >= trial.number:
            break
        lives = other.state != TrialState.FAIL or completed(other)
        if lives and slot_of(other) == slot:
            raise _Surplus
    if slot % (AHEAD // 2) == 0:  # the process with such a slot fills the queue for all
        fill(trial.study, plan)
    params = {name: d.suggest(name, trial) for name, d in plan.space.items()}

    reported = False

    def report(step: int, value: float) -> None:
        nonlocal reported
        reported = True
        trial.report(value if math.isfinite(value) else plan.worst, step)
        if trial.should_prune() and math.isfinite(value):
            raise optuna.TrialPruned

    def raised(error: Exception) -> None:
        if isinstance(error, optuna.TrialPruned):
            return
        name = type(error).__name__
        if isinstance(error, plan.catch):
            trial.set_user_attr("caught", shortened(f"{name}: {error}"))
            raise _Caught from error
        error.add_note(
            f"tune(..., catch=({name},)) keeps a trial that raises this as failed, and "
            "goes on"
        )

    try:
        value = follow("objective", lambda: plan.objective(params), report, raised)
    except Diverged as why:
        trial.set_user_attr("diverged", str(why))
        return plan.worst
    if not (reported or isinstance(trial.study.pruner, optuna.pruners.NopPruner)):
        raise TypeError(
            "objective: expected to yield a number after each step, by which "
            f"{plan.method!r} ends trials, found that it returned {shown(value)} only; "
            "yield them, or take another method"
        )
    return value
