"""A study of `lrcore.tune` on Optuna: by one process, several, or several machines.

Each of a study's trials is queued before it is run, under a number of its own, its
slot.  Processes take trials from the queue, which the storage hands out once each; a
trial that was left (its process was killed, interrupted, or raised) is marked as
failed, and its slot queued again with the same parameters.  Of two trials with one
slot, as two machines may queue them at the same moment, the later one is dropped before
it is run.  So each slot ends with one finished trial, whoever runs it and whoever dies.

Needs Optuna: imported where a study is run.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import pickle
import platform
import signal
import sys
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from lrcore._shared.words import shortened, shown
from lrcore.search._losses import Diverged, follow
from lrcore.space._dimensions import Dimension

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plan(NamedTuple):
    """What a study is to do; it pickles if the objective does."""

    objective: Callable[[dict[str, Any]], Any]
    space: dict[str, Dimension]
    method: str
    maximize: bool
    points: list[dict[str, Any]]  # a slot's parameters as far as they are fixed
    name: str
    seed: int | None
    min_steps: int
    max_steps: int | None
    reduction: int
    deadline: float  # of time.time()

    @property
    def worst(self) -> float:
        """The value of a trial that diverged, by which samplers learn to avoid it."""
        return -math.inf if self.maximize else math.inf


# --- the study ------------------------------------------------------------------------


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's log of each trial, and its notes on new features, to itself."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


HEARTBEAT = 30  # seconds; one is dead to other machines after twice that without any


def open_storage(storage: Any) -> Any:
    """Return Optuna's storage of a database's URL, of a journal's path, or itself."""
    if storage is None:
        return optuna.storages.InMemoryStorage()
    if isinstance(storage, optuna.storages.BaseStorage):
        return storage
    wanted = (
        "storage: expected a database's URL, a journal file's path or a storage of "
        "Optuna, found"
    )
    if not isinstance(storage, (str, bytes, os.PathLike)):
        raise TypeError(f"{wanted} {shown(storage)}")
    place = os.fsdecode(storage)
    try:
        if "://" in place:
            return optuna.storages.RDBStorage(place, heartbeat_interval=HEARTBEAT)
        journal = JournalFileBackend(place)
        with open(place, "rb") as file:
            if file.read(1) not in (b"", b"{"):  # Optuna would append to it
                raise ValueError("it is a file, but no journal of Optuna")
        return optuna.storages.JournalStorage(journal)
    except Exception as error:
        kind = ImportError if isinstance(error, ImportError) else ValueError
        why = traceback.format_exception_only(error)[0].partition("\n")[0]
        raise kind(
            f"{wanted} {shown(_without_password(place))}, which cannot be opened: "
            f"{shortened(why)}; an SQLite database is named as 'sqlite:///study.db'"
        ) from error


def _without_password(url: str) -> str:
    """Return a database's URL as a message may have it."""
    scheme, separator, rest = url.partition("://")
    login, at, place = rest.partition("/")[0].rpartition("@")
    user, colon, _ = login.partition(":")
    if not (at and colon):
        return url
    return f"{scheme}{separator}{user}:***@{place}{rest[len(login + at + place) :]}"


def open_study(plan: Plan, storage: Any, worker: int = 0) -> optuna.Study:
    """Return the study of this name, made if there is none, with a sampler of its own.

    Raises
    ------
    ValueError
        The storage has another study of this name.
    """
    study = optuna.create_study(
        study_name=plan.name,
        storage=storage,
        pruner=_pruner(plan),
        direction="maximize" if plan.maximize else "minimize",
        load_if_exists=True,
    )
    about = {
        "mode": "max" if plan.maximize else "min",
        "space": {name: repr(d) for name, d in plan.space.items()},
        "grid": _digest(plan.points) if any(plan.points) else "none",
    }
    trials = study.get_trials(deepcopy=False)  # first: who queues some has set `about`
    kept = study.user_attrs.get("lrcore")
    if kept is None and not trials:
        study.set_user_attr("lrcore", kept := about)
    theirs = f"name: the storage has a study {shown(plan.name)}"
    if kept is None:
        raise ValueError(
            f"{theirs} that is not of lrcore.tune: expected none, or one without "
            f"trials, found {len(trials)}; give this one another name"
        )
    # One that was empty has modes too: its directions.
    modes = " and ".join(each.name[:3].lower() for each in study.directions)
    before = {**kept, "mode": modes}
    for what, now in about.items():
        if before.get(what) != now:
            raise ValueError(
                f"{theirs} of another {what}: expected {shown(before.get(what))}, "
                f"found {shown(now)}; give this one another name"
            )
    # Not the same trials again where a study is continued, nor by each worker.
    seed = plan.seed
    if seed is not None:
        started = sum(t.state != TrialState.WAITING for t in trials)
        mixed = np.random.SeedSequence([seed, worker, started])
        seed = int(mixed.generate_state(1)[0])
    study.sampler = _sampler(plan.method, seed)
    return study


def _digest(points: list[dict[str, Any]]) -> str:
    """Return what tells a grid from others, however large it is."""
    return f"{len(points)} points, {zlib.crc32(json.dumps(points).encode()):08x}"


def _sampler(method: str, seed: int | None) -> Any:
    if method == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    if method == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(plan: Plan) -> Any:
    if plan.method == "asha":
        return optuna.pruners.SuccessiveHalvingPruner(
            min_resource=plan.min_steps, reduction_factor=plan.reduction
        )
    if plan.method == "hyperband":
        assert plan.max_steps is not None
        return optuna.pruners.HyperbandPruner(
            min_resource=plan.min_steps,
            max_resource=plan.max_steps,
            reduction_factor=plan.reduction,
        )
    return optuna.pruners.NopPruner()


# --- the queue ------------------------------------------------------------------------


def _slot(trial: FrozenTrial | Trial) -> Any:
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
            present.add(_slot(trial))
            if trial.state == TrialState.WAITING:
                queued.add(_slot(trial))
        elif trial.params:
            tried[_slot(trial)] = trial.params
    queued &= set(slots)
    missing = [slot for slot in slots if slot not in present]
    for slot in missing[: max(AHEAD - len(queued), 0)]:
        params = plan.points[slot] or tried.get(slot, {})
        study.enqueue_trial(dict(params), user_attrs={"slot": slot})
        queued.add(slot)
    return len(queued)


def _queued(study: optuna.Study, plan: Plan) -> bool:
    """Whether a trial waits, of those that this plan is to run."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return any(_slot(trial) in range(len(plan.points)) for trial in waiting)


def _finished(study: optuna.Study, plan: Plan) -> bool:
    done = study.get_trials(
        deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
    )
    return {_slot(trial) for trial in done} >= set(range(len(plan.points)))


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
        if _slot(trial) is None and "worker" not in trial.user_attrs:
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


# --- one process ----------------------------------------------------------------------


class _Surplus(Exception):  # noqa: N818 # no error: it ends a trial
    """A trial that another one makes superfluous."""


Done = Callable[[FrozenTrial], bool]
"""Called after a trial that counts; whether to go on."""


def work(study: optuna.Study, plan: Plan, done: Done) -> None:
    """Run trials until the queue is empty or the time is up.

    Raises what the objective raises; its trial is marked as failed then.
    """

    def more() -> bool:
        optuna.storages.fail_stale_trials(study)
        return _queued(study, plan) or bool(fill(study, plan))

    def after(study: optuna.Study, trial: FrozenTrial) -> None:
        go_on = trial.state == TrialState.FAIL or done(trial)
        if not (go_on and more()):
            study.stop()

    left = plan.deadline - time.time()
    if left <= 0 or not more():
        return
    study.optimize(
        lambda trial: _evaluate(trial, plan),
        timeout=left if math.isfinite(left) else None,
        catch=(_Surplus,),
        callbacks=[after],
    )


def _evaluate(trial: Trial, plan: Plan) -> float:
    trial.set_user_attr("worker", sign())
    slot = _slot(trial)
    if slot not in range(len(plan.points)):
        raise _Surplus
    for other in trial.study.get_trials(deepcopy=False):
        if other.number >= trial.number:
            break
        if _slot(other) == slot and other.state != TrialState.FAIL:
            raise _Surplus
    if slot % (AHEAD // 2) == 0:  # one process has this slot: the others need not
        fill(trial.study, plan)
    params = {name: d.suggest(name, trial) for name, d in plan.space.items()}

    reported = False

    def report(step: int, value: float) -> None:
        nonlocal reported
        reported = True
        trial.report(value if math.isfinite(value) else plan.worst, step)
        if trial.should_prune() and math.isfinite(value):
            raise optuna.TrialPruned

    try:
        value = follow("objective", lambda: plan.objective(params), report)
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


# --- several processes ----------------------------------------------------------------

_TERMINATED = 128 + signal.SIGTERM  # the exit code of a worker that SIGTERM ended
_LEAST_DEATHS = 3  # in a row, without a finished trial, before a study gives up


def work_together(
    study: optuna.Study, plan: Plan, storage: Any, n_jobs: int, done: Done
) -> None:
    """Run the trials in processes of their own; replace those that are killed.

    Raises what an objective raised, and RuntimeError where workers end by themselves
    or keep being killed.
    """
    _check_shared(not isinstance(storage, optuna.storages.InMemoryStorage), storage)
    context = multiprocessing.get_context("spawn")
    payload = pickle.dumps((plan, storage))
    workers: dict[Connection, BaseProcess] = {}
    started = deaths = 0
    try:
        while True:
            # As many as there are trials to run, at most.
            while len(workers) < min(n_jobs, len(plan.points)) and _queued(study, plan):
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
                if _finished(study, plan):
                    return  # without those that are only starting
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
    """Wait until a worker has something to say, or is dead."""
    while True:
        found = [c for c in wait(list(workers), timeout=1) if isinstance(c, Connection)]
        # One that is dead says so by its pipe, unless a child of its own holds it open.
        dead = [c for c, p in workers.items() if not p.is_alive() and not c.poll()]
        for connection in dead:
            if connection not in found:
                connection.close()
                found.append(connection)
        if found:
            return found


def _ended(process: BaseProcess) -> int:
    """Return how a process died: its exit code, or minus the signal that killed it."""
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
    """End as SIGTERM asks for, and let go of locks before."""
    sys.exit(_TERMINATED)


def _worker(payload: bytes, number: int, pipe: Connection, parent: int) -> None:
    """Run trials in a process of its own, and tell its parent of each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent sees to Ctrl-C
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


# --- afterwards -----------------------------------------------------------------------


def in_memory(study: optuna.Study) -> optuna.Study:
    """Return a copy that needs no storage."""
    memory = optuna.storages.InMemoryStorage()
    name = study.study_name
    optuna.copy_study(
        from_study_name=name, from_storage=study._storage, to_storage=memory
    )
    return optuna.load_study(study_name=name, storage=memory)


def importance(study: optuna.Study) -> dict[str, float]:
    """Return the importance of each of Optuna's parameters."""
    with quiet():
        # It warns where trials are so few, or so alike, that all are among the best.
        warnings.simplefilter("ignore", UserWarning)
        return optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )


def draw(study: optuna.Study, kind: str) -> Figure:
    """Return one of Optuna's pictures, without pyplot's state."""
    from matplotlib import pyplot
    from optuna.visualization import matplotlib as pictures

    functions: dict[str, Callable[[optuna.Study], Any]] = {
        "slice": pictures.plot_slice,
        "contour": pictures.plot_contour,
        "parallel": pictures.plot_parallel_coordinate,
        "history": pictures.plot_optimization_history,
        "importance": pictures.plot_param_importances,
        "intermediate": pictures.plot_intermediate_values,
    }
    before = pyplot.get_fignums()
    try:
        with quiet(), pyplot.rc_context({"figure.constrained_layout.use": True}):
            # They warn of a range of one value, as of a choice that was never changed.
            warnings.simplefilter("ignore", UserWarning)
            axes = np.ravel(functions[kind](study))[0]
    finally:
        for number in set(pyplot.get_fignums()) - set(before):
            pyplot.close(number)
    figure: Figure = axes.figure
    legend = axes.get_legend()
    if kind == "intermediate" and legend and len(legend.get_texts()) > 12:
        legend.remove()  # it would take the picture's room
    return figure
