"""The queue of a study: trials taken by processes, and what dead ones left.

Each of a study's trials is queued before it is run, under a number of its own, its
slot.  Processes take trials from the queue, which the storage hands out once each; a
trial that was left (its process was killed, interrupted, or raised) is marked as
failed, and its slot queued again with the same parameters.  Of two trials with one
slot, as two machines may queue them at the same moment, the later one is dropped before
it is run.  So each slot ends with one finished trial, whoever runs it and whoever dies.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from lrcore.search._plan import Plan


def slot_of(trial: FrozenTrial | Trial) -> Any:
    """Return the slot of a trial; None where it has none."""
    return trial.user_attrs.get("slot")


AHEAD = 32  # slots queued at once: databases read all of the queue for each trial


def fill(study: optuna.Study, plan: Plan) -> int:
    """Queue the first slots that are neither running nor finished; return how many.

    Those that are queued already are among them.
    """
    slots = range(len(plan.points))
    present, queued, tried = set(), set(), {}
    for trial in study.get_trials(deepcopy=False):
        if trial.state != TrialState.FAIL:
            present.add(slot_of(trial))
            if trial.state == TrialState.WAITING:
                queued.add(slot_of(trial))
        elif trial.params:
            tried[slot_of(trial)] = trial.params
    queued &= set(slots)
    missing = [slot for slot in slots if slot not in present]
    for slot in missing[: max(AHEAD - len(queued), 0)]:
        params = plan.points[slot] or tried.get(slot, {})
        study.enqueue_trial(dict(params), user_attrs={"slot": slot})
        queued.add(slot)
    return len(queued)


def any_queued(study: optuna.Study, plan: Plan) -> bool:
    """Whether a trial waits, of those that this plan is to run."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return any(slot_of(trial) in range(len(plan.points)) for trial in waiting)


def all_finished(study: optuna.Study, plan: Plan) -> bool:
    """Whether each slot has a trial that is at its end."""
    done = study.get_trials(
        deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
    )
    return {slot_of(trial) for trial in done} >= set(range(len(plan.points)))


def bury(study: optuna.Study) -> None:
    """Mark the running trials of dead processes as failed.

    Those of this machine are known by their process, those of others by the heartbeat,
    where the storage has one.  A trial that nobody has signed for a second was taken by
    a process that died before it could.
    """
    optuna.storages.fail_stale_trials(study)
    unsigned = _fail(study, _dead)
    if unsigned:
        time.sleep(1)
        _fail(study, lambda t: t.number in unsigned and not t.user_attrs.get("worker"))


def _fail(study: optuna.Study, condition: Callable[[FrozenTrial], bool]) -> set[int]:
    """Fail the running trials of a condition; return the numbers of unsigned ones."""
    unsigned = set()
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if slot_of(trial) is None and "worker" not in trial.user_attrs:
            continue  # someone else's, who uses Optuna by itself
        if condition(trial):
            with suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):
                # Another process may be faster.
                study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        elif "worker" not in trial.user_attrs:
            unsigned.add(trial.number)
    return unsigned


def _dead(trial: FrozenTrial) -> bool:
    """Whether the process that runs it was on this machine and is not any more."""
    signed = trial.user_attrs.get("worker")
    if not signed:
        return False
    place, pid, born = signed
    return bool(place == _place() and _born(pid) != born)


def sign() -> tuple[str, int, str]:
    """Return what tells this process from all others: place, number, time of birth."""
    return _place(), os.getpid(), _born(os.getpid())


def _place() -> str:
    """Return the machine and the name space in which a process's number is unique."""
    return f"{platform.node()} {os.stat('/proc/self/ns/pid').st_ino}"


def _born(pid: int) -> str:
    """Return when a process was born, in ticks since the boot; "" if it is dead."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            state, *fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
