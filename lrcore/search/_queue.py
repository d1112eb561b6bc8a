"""The queue of a study, and the trials that dead processes did not complete.

Each of a study's trials is queued before it is run, under a number of its own, its
slot.  Processes take trials from the queue, which the storage hands out once each; a
trial that was not completed (its process was killed, interrupted, or raised) is marked
as failed, and its slot is queued again with the same parameters.  If two machines queue
the same slot at the same moment, the later trial is dropped before it is run.  So each
slot ends with one completed trial, even if processes die.  A trial that raised an
exception of `Plan.catch` counts as completed: Optuna has it as failed, with the user
attribute "caught".
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
    """Return the slot of a trial, or None if it has none."""
    return trial.user_attrs.get("slot")


def completed(trial: FrozenTrial) -> bool:
    """Return whether a trial has a result, which may be that it failed."""
    if trial.state == TrialState.FAIL:
        return "caught" in trial.user_attrs
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


AHEAD = 32  # slots queued at once: databases read all of the queue for each trial


def fill(study: optuna.Study, plan: Plan) -> int:
    """Queue slots until `AHEAD` are queued; return how many are queued now.

    Slots that are running or completed are left out.
    """
    slots = range(len(plan.points))
    present, queued, tried = set(), set(), {}
    for trial in study.get_trials(deepcopy=False):
        if trial.state != TrialState.FAIL or completed(trial):
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
    """Return whether a trial of this plan is waiting to be run."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return any(slot_of(trial) in range(len(plan.points)) for trial in waiting)


def all_finished(study: optuna.Study, plan: Plan) -> bool:
    """Return whether each slot has a completed trial."""
    done = {slot_of(t) for t in study.get_trials(deepcopy=False) if completed(t)}
    return done >= set(range(len(plan.points)))


def bury(study: optuna.Study) -> None:
    """Mark the running trials of dead processes as failed.

    On this machine, the process is looked up; on others, the heartbeat is checked if
    the storage has one.  A trial that has had no signature for a second was taken by a
    process that died before it signed.
    """
    optuna.storages.fail_stale_trials(study)
    unsigned = _fail(study, _dead)
    if unsigned:
        time.sleep(1)
        _fail(study, lambda t: t.number in unsigned and not t.user_attrs.get("worker"))


def _fail(study: optuna.Study, condition: Callable[[FrozenTrial], bool]) -> set[int]:
    """Fail the running trials that meet a condition; return the unsigned others."""
    unsigned = set()
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if slot_of(trial) is None and "worker" not in trial.user_attrs:
            continue  # a trial that a user of Optuna has added without lrcore
        if condition(trial):
            with suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):
                # Another process may be faster.
                study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        elif "worker" not in trial.user_attrs:
            unsigned.add(trial.number)
    return unsigned


def _dead(trial: FrozenTrial) -> bool:
    """Return whether the trial's process was on this machine and has ended."""
    signed = trial.user_attrs.get("worker")
    if not signed:
        return False
    place, pid, born = signed
    return bool(place == _place() and _born(pid) != born)


def sign() -> tuple[str, int, str]:
    """Return the identity of this process: machine, process id, time of its start."""
    return _place(), os.getpid(), _born(os.getpid())


def _place() -> str:
    """Return the machine and the namespace in which a process id is unique."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:  # without /proc there is no other one to see
        space = 0
    return f"{platform.node()} {space}"


def _born(pid: int) -> str:
    """Return when a process started, in ticks since the boot; "" if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            state, *fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
