"""Several worker processes for one study."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from lrcore._shared.words import shown
from lrcore.search._plan import Plan
from lrcore.search._queue import all_finished, any_queued, bury, fill
from lrcore.search._storage import quiet
from lrcore.search._study import open_study
from lrcore.search._work import Done, work

_TERMINATED = 128 + signal.SIGTERM  # the exit code of a worker that SIGTERM ended
_LEAST_DEATHS = 3  # in a row without a completed trial, then the study ends


def work_together(
    study: optuna.Study, plan: Plan, storage: Any, n_jobs: int, done: Done
) -> None:
    """Run the trials in processes of their own; replace those that are killed.

    Raises the exception of an objective, and RuntimeError if workers end by themselves
    or are killed again and again.
    """
    _check_shared(not isinstance(storage, optuna.storages.InMemoryStorage), storage)
    context = multiprocessing.get_context("spawn")
    payload = pickle.dumps((plan, storage))
    workers: dict[Connection, BaseProcess] = {}
    started = deaths = 0
    try:
        while True:
            # No more workers than there are trials.
            while len(workers) < min(n_jobs, len(plan.points)) and any_queued(
                study, plan
            ):
                if time.time() >= plan.deadline:
                    break
                ours, theirs = context.Pipe(duplex=False)
                started += 1
                process: BaseProcess = context.Process(
                    target=_worker, args=(payload, started, theirs, os.getpid())
                )
                process.start()
                theirs.close()
                workers[ours] = process
            if not workers:
                bury(study)
                if time.time() < plan.deadline and fill(study, plan):
                    continue
                return
            for ours in _ready(workers):
                try:
                    kind, what = ours.recv()
                except (EOFError, OSError):
                    code = _ended(workers.pop(ours))
                    deaths += 1
                    bury(study)
                    _check_death(code, deaths, n_jobs)
                    fill(study, plan)
                    continue
                if kind == "ended":
                    workers.pop(ours).join()
                    continue
                if kind == "raised":
                    raise what
                deaths = 0
                done(what)
                if all_finished(study, plan):
                    return  # do not wait for workers that are still starting
    finally:
        for process in workers.values():
            process.terminate()
        for process in workers.values():
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()
        if workers:
            bury(study)


def _check_shared(shared: bool, storage: Any) -> None:
    if not shared:
        raise ValueError(
            "storage: expected one that several processes can use, as n_jobs > 1 needs "
            f"it, found {shown(storage)}; name a journal file, or a database"
        )


def _ready(workers: Mapping[Connection, BaseProcess]) -> list[Connection]:
    """Wait until workers have sent a message or ended; return their pipes."""
    while True:
        found = [c for c in wait(list(workers), timeout=1) if isinstance(c, Connection)]
        # A pipe reports that its worker ended, unless a child process keeps it open.
        dead = [c for c, p in workers.items() if not p.is_alive() and not c.poll()]
        for connection in dead:
            if connection not in found:
                connection.close()
                found.append(connection)
        if found:
            return found


def _ended(process: BaseProcess) -> int:
    """Return the exit code of a process that ended, or minus the signal's number."""
    process.join()
    code = process.exitcode
    assert code is not None
    return -signal.SIGTERM if code == _TERMINATED else code


def _check_death(code: int, deaths: int, n_jobs: int) -> None:
    if code >= 0:
        raise RuntimeError(
            f"a worker ended by itself with exit code {code}: its messages are above; "
            'a script that calls tune with n_jobs needs `if __name__ == "__main__":`, '
            "and an objective must not exit"
        )
    if deaths >= max(_LEAST_DEATHS, 2 * n_jobs):
        name = signal.Signals(-code).name
        raise RuntimeError(
            f"{deaths} workers were killed in a row, the last one by {name}, without a "
            "trial finished: too little memory for n_jobs at once, or an objective "
            "that crashes?"
        )


def _exit(*_: Any) -> None:
    """End on SIGTERM by an exception, so that locks are released."""
    sys.exit(_TERMINATED)


def _worker(payload: bytes, number: int, pipe: Connection, parent: int) -> None:
    """Run trials in this process, and send each to the parent process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    signal.signal(signal.SIGTERM, _exit)
    try:
        plan, storage = pickle.loads(payload)

        def done(trial: FrozenTrial) -> bool:
            if os.getppid() != parent:
                return False
            pipe.send(("done", trial))
            return True

        with quiet():
            study = open_study(plan, storage, number)
            _check_shared(bool(study.get_trials(deepcopy=False)), storage)
            work(study, plan, done)
        with suppress(BrokenPipeError):  # the parent may be dead
            pipe.send(("ended", None))
    except Exception as error:
        error.add_note("in a worker process:\n" + traceback.format_exc())
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            error = RuntimeError("".join(traceback.format_exception(error)))
        pipe.send(("raised", error))
