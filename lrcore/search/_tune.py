"""A search on Optuna, by one process, several processes or several machines."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from lrcore._shared.domains import FLAG, MODES, count, real, whole
from lrcore._shared.words import shown
from lrcore.search._arguments import (
    Method,
    check_callable,
    check_pickles,
    check_used,
    read_aliases,
    read_catch,
    require,
    slots,
)
from lrcore.search._plan import Plan
from lrcore.search._result import Search
from lrcore.search._trial import ranked
from lrcore.space import check
from lrcore.space._dimension import Dimension, one_of


def tune(
    objective: Callable[[dict[str, Any]], Any],
    space: Mapping[str, Dimension | list[Any]],
    method: Method = "tpe",
    trials: int | None = None,
    *,
    mode: Literal["min", "max"] | None = None,
    seed: int | None = None,
    points: int | None = None,
    min_steps: int | None = None,
    max_steps: int | None = None,
    reduction: int | None = None,
    n_jobs: int = 1,
    storage: Any = None,
    name: str | None = None,
    timeout: float | None = None,
    progress: bool = False,
    catch: type[Exception] | tuple[type[Exception], ...] = (),
    n_trials: int | None = None,
    direction: Literal["minimize", "maximize"] | None = None,
) -> Search:
    """Search for the hyper-parameters with the lowest loss, by Optuna.

    ::

        def objective(params):
            opt = lrcore.AdamW(new_network(), lr=params["lr"])
            for epoch in range(27):
                train(opt)
                yield loss_on_validation_set()

        found = lrcore.tune(
            objective, {"lr": lrcore.space.lr()}, "hyperband", max_steps=27
        )
        print(found)                        # the table; found.best_params, found.plot()

    Needs Optuna: ``pip install "lrcore[search]"``.

    Parameters
    ----------
    objective : callable
        ``objective(params)`` gets a dict with a value for each dimension, and returns a
        number.  Or it is a generator (or returns an iterator, or a list) that yields a
        number after each of its steps, such as epochs; by these "hyperband" and "asha"
        end bad trials early, at a ``yield`` (``finally`` blocks run).  The value of the
        trial is then the number that it returns, or else the last that it yields.  A
        trial with a number that is not finite, or that raises OverflowError or
        FloatingPointError, is kept as diverged, and not continued.
    space : dict
        Dimensions of `lrcore.space` by name, or lists of values.
    method : str
        "grid": all combinations of at most `points` values of each dimension.
        "log_sweep": one number on the scale "log", at `trials` points.
        "random": independent draws.
        "tpe": Bayesian, by a tree-structured Parzen estimator (the default).
        "gp": Bayesian, by a Gaussian process; needs torch and SciPy.
        "hyperband", "asha": random; trials that are worse than others at the same step
        end there.  "asha" compares all trials, by asynchronous successive halving;
        "hyperband" compares within groups that begin at different steps.
    trials : int, optional
        Number of trials of the study, >= 1.  Pruned, diverged and failed trials count,
        and those of former calls.  Default: 13 for "log_sweep", else 30; "grid" has as
        many trials as points, and takes no number.
    mode : {"min", "max"}, optional
        Whether the lowest or the highest value is the best.  Default "min".
    seed : int, optional
        Seed of the sampler, >= 0.  With it, a study of one process is reproducible if
        the objective is.  Workers, and calls that continue a study, derive other seeds
        from it.  Several machines with one study need different seeds, or None.
        Default None.
    points : int, optional
        For "grid": values of each dimension that is a number, >= 1.  Default 5.
    min_steps : int, optional
        For "hyperband" and "asha": the fewest steps of a trial, >= 1.  Default 1.
    max_steps : int, optional
        For "hyperband": steps of a whole trial, > min_steps.  No default.
    reduction : int, optional
        For "hyperband" and "asha": at steps min_steps * reduction^k, the best
        ``1 / reduction`` of the trials go on, >= 2.  Default 3.
    n_jobs : int
        Number of processes, >= 1.  With more than one, the objective has to pickle, and
        a script that calls this needs ``if __name__ == "__main__":``.  Each process
        uses the default number of threads of lrcore; ``LRCORE_NUM_THREADS=1`` in the
        environment is often faster.  Default 1: this process.
    storage : str, path or optuna.storages.BaseStorage, optional
        Where the study is kept: the URL of a database
        (``"postgresql+psycopg2://user@host/database"``, ``"sqlite:///study.db"``) or
        of a server of Optuna before one (``"grpc://host:13000"``; needs grpcio and
        protobuf), the path of a journal file, or any storage of Optuna, such as a
        `GrpcStorageProxy`.  A server is waited for half a minute.  Several machines can
        work on one study by the same call.  Default: in memory.  An exception or Ctrl-C
        loses the study then; a note (``__notes__``) of the exception has its table.
    name : str, optional
        The name of the study in its storage.  If there is a study of this name, it is
        continued.  Needed with `storage`.
    timeout : float, optional
        Seconds, > 0, after which no further trial begins.  Default: no limit.
    progress : bool
        Whether to show a progress bar.  Default False.
    catch : exception type, or tuple of them
        If the objective raises one of these, as of ``catch=(ZeroDivisionError,)``, the
        trial is kept as "failed" and the study goes on; samplers do not learn from it.
        Default: none, so any exception ends the call.
    n_trials, direction
        Optuna's words for `trials` and `mode`: ``direction="minimize"`` is
        ``mode="min"``, ``"maximize"`` is ``"max"``.  Give one of each pair.

    Returns
    -------
    Search
        All trials of the study.  It is returned when no trial is left to begin; other
        machines may still run their last trials.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain, or the method does not use it; the objective
        gives no number, or does not yield numbers to "hyperband" or "asha"; the storage
        cannot be opened, or has a study of that name with another space, grid or mode.
    ImportError
        Optuna, or a package that the method needs, is missing.
    RuntimeError
        Workers end without an exception: they are killed again and again, the objective
        exits, or the script lacks its guard.
    Exception
        What the objective raises, if `catch` does not include it.  Its trial is marked
        as failed; a call that continues the study by its name tries the same parameters
        again.  If they can never work, continue it with `catch`.

    Notes
    -----
    Each trial is run by one process, and no completed trial is lost or run again.  A
    trial that was not completed (its process was killed, interrupted, or raised) is
    marked as failed in Optuna's study and repeated: at once by ``n_jobs`` workers, by
    the next call on the same machine, and by other machines if the storage has a
    heartbeat: databases have one (after a minute), journal files and servers do not.

    References
    ----------
    Akiba et al. 2019, "Optuna"; Bergstra et al. 2011, "Algorithms for hyper-parameter
    optimization" (TPE); Li et al. 2018, "Hyperband"; Li et al. 2020, "A system for
    massively parallel hyperparameter tuning" (ASHA).

    Examples
    --------
    >>> def objective(params):
    ...     w = np.array([3.0, -2.0])
    ...     opt = getattr(lrcore, params["optimizer"])(w, lr=params["lr"])
    ...     for _ in range(20):
    ...         opt.step(w.copy())  # the gradient of |w|^2 / 2
    ...     return (w**2).sum() / 2
    >>> space = {"optimizer": lrcore.space.optimizer("SGD", "Adam"),
    ...          "lr": lrcore.space.lr(1e-3, 1.0)}
    >>> found = lrcore.tune(objective, space, "grid", points=4)
    >>> found.best_params
    {'optimizer': 'SGD', 'lr': 1.0}
    """
    check_callable("objective", objective)
    dimensions = check(space)
    one_of("method", method, get_args(Method))
    trials, mode = read_aliases(trials, n_trials, mode, direction)
    MODES.check("mode", mode)
    caught = read_catch(catch)
    FLAG.check("progress", progress)
    check_used(
        method, points=points, min_steps=min_steps, max_steps=max_steps,
        reduction=reduction,
    )  # fmt: skip
    points = 5 if points is None else points
    min_steps = 1 if min_steps is None else min_steps
    reduction = 3 if reduction is None else reduction
    queue = slots(dimensions, method, trials, points)
    if seed is not None:
        whole("seed", seed, "an int >= 0, or None", least=0)
    count(1).check("min_steps", min_steps)
    count(2).check("reduction", reduction)
    if max_steps is not None:
        text = f"an int > min_steps = {min_steps}"
        whole("max_steps", max_steps, text, least=min_steps + 1)
    elif method == "hyperband":
        raise ValueError(
            "max_steps: expected how many numbers the objective yields in a whole "
            "trial, as 'hyperband' needs it, found None"
        )
    count(1).check("n_jobs", n_jobs)
    deadline = math.inf
    if timeout is not None:
        seconds = real("timeout", timeout, "a number of seconds > 0")
        if not seconds > 0:
            raise ValueError(
                f"timeout: expected a number of seconds > 0, found {shown(timeout)}"
            )
        deadline = time.time() + seconds
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name: expected a string, found {shown(name)}")
    if not name and storage is not None:
        raise ValueError(
            "name: expected the study's name, by which the storage keeps it and other "
            f"calls continue it, found {shown(name)}"
        )
    if n_jobs > 1:
        check_pickles(objective)
    require(method)

    from lrcore.search import _run, _storage

    plan = Plan(
        objective, dimensions, method, mode == "max", queue, name or "lrcore", seed,
        min_steps, max_steps, reduction, deadline, caught,
    )  # fmt: skip
    lost = storage is None
    with _storage.quiet():
        if lost and n_jobs > 1:
            with TemporaryDirectory(prefix="lrcore-") as directory:
                shared = _storage.open_storage(Path(directory) / "journal")
                study = _storage.in_memory(
                    _run.run(plan, shared, n_jobs, progress, lost)
                )
        else:
            study = _run.run(
                plan, _storage.open_storage(storage), n_jobs, progress, lost
            )
        found = _run.finished(study, plan)
    return Search(ranked(found, mode), dimensions, mode, study)
