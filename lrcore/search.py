"""Search of hyper-parameters: a sweep over learning rates, and studies on Optuna.

:func:`sweep` tries a list of learning rates, and needs nothing else.  :func:`tune`
searches a space of `lrcore.space` by Optuna's samplers and pruners (the extra
`search`): in this process, in several, or on several machines.  Both return a
:class:`Search`.
"""

from __future__ import annotations

import math
import pickle
import sys
import time
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from itertools import product
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, get_args

from lrcore import _plot
from lrcore._losses import Diverged, follow
from lrcore._shared.domains import real, whole
from lrcore._words import listed, shortened, shown
from lrcore.plateau import MODES
from lrcore.space import Dimension, Integer, Real, check, one_of

if TYPE_CHECKING:
    import optuna
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from optuna.trial import FrozenTrial

    from lrcore._study import Plan

Method = Literal["grid", "log_sweep", "random", "tpe", "gp", "hyperband", "asha"]
State = Literal["finished", "pruned", "diverged"]
Kind = Literal[
    "loss", "slice", "contour", "parallel", "history", "importance", "intermediate"
]


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes
    ----------
    number : int
        From 0 in the order in which they were queued; there are gaps where a trial was
        left and tried anew.
    params : dict
        What the objective was called with.
    value : float
        The objective's; of a pruned trial the last it reported; NaN where it diverged.
    state : {"finished", "pruned", "diverged"}
    losses : tuple of float
        What it yielded, from the first step on.
    seconds : float
        How long it took.
    """

    number: int
    params: dict[str, Any]
    value: float
    state: State
    losses: tuple[float, ...] = field(default=(), repr=False)
    seconds: float = field(default=math.nan, repr=False, compare=False)


@dataclass(frozen=True)
class Search:
    """What a search found; printed, it is its table.

    Attributes
    ----------
    trials : tuple of Trial
        The best first: those that finished by their value, then those that were pruned
        (the longest first), then those that diverged.
    space : dict of lrcore.space.Dimension
        What was searched, by name.
    mode : {"min", "max"}
        Whether the value was to fall or to rise.
    study : optuna.Study or None
        Optuna's own, for whatever else it can do; None of a sweep.
    """

    trials: tuple[Trial, ...]
    space: Mapping[str, Dimension]
    mode: Literal["min", "max"] = "min"
    study: optuna.Study | None = field(default=None, repr=False, compare=False)

    @property
    def best(self) -> Trial:
        """The best trial.

        Raises
        ------
        ValueError
            None has finished with a finite value.
        """
        if not self.trials or self.trials[0].state != "finished":
            states = [t.state for t in self.trials]
            advice = "; try smaller learning rates" if states.count("diverged") else ""
            raise ValueError(
                f"best: expected a trial that finished, found {len(states)} trials of "
                f"which {states.count('diverged')} diverged{advice}"
            )
        return self.trials[0]

    @property
    def best_params(self) -> dict[str, Any]:
        """The parameters of the best trial."""
        return dict(self.best.params)

    @property
    def best_value(self) -> float:
        """The value of the best trial."""
        return self.best.value

    @property
    def _finished(self) -> int:
        return sum(trial.state == "finished" for trial in self.trials)

    def table(self, most: int | None = None) -> str:
        """Return the trials as text, the best first.

        Parameters
        ----------
        most : int, optional
            How many rows, >= 1.  Default: all of them.
        """
        if most is not None:
            whole("most", most, "an int >= 1, or None", least=1)
        value = "loss" if self.mode == "min" else "value"
        rows = [["trial", *self.space, value, "steps", "seconds", ""]]
        for trial in self.trials[:most]:
            rows.append(
                [
                    str(trial.number),
                    *(_short(trial.params[name]) for name in self.space),
                    _short(trial.value),
                    str(len(trial.losses) or ""),
                    f"{trial.seconds:.1f}",
                    "" if trial.state == "finished" else trial.state,
                ]
            )
        if not any(row[-3] for row in rows[1:]):  # nothing was reported by steps
            rows = [row[:-3] + row[-2:] for row in rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if i == len(row) - 1 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        left = len(self.trials) - len(rows) + 1
        return "\n".join(lines + ([f"and {left} more"] if left else []))

    def importance(self) -> dict[str, float]:
        """Return how much of the good values' variation each dimension explains.

        By Optuna's PED-ANOVA over the trials that finished; the largest first, 1 in
        sum.

        Raises
        ------
        ValueError
            Fewer than 2 trials have finished.

        References
        ----------
        Watanabe et al. 2023, "PED-ANOVA: efficiently quantifying hyperparameter
        importance in arbitrary subspaces".
        """
        if self._finished < 2:
            raise ValueError(
                "importance: expected at least 2 trials that finished, "
                f"found {self._finished}"
            )
        if self.study is None or len(self.space) == 1:
            return dict.fromkeys(self.space, 1.0 / len(self.space))
        from lrcore._study import importance

        single = importance(self.study)
        total = {
            name: sum(single.get(key, 0.0) for key in dimension.keys(name))
            for name, dimension in self.space.items()
        }
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    def plot(
        self,
        path: str | PathLike[str] | None = None,
        title: str | None = None,
        *,
        kind: Kind | None = None,
    ) -> Figure:
        """Draw what was found.

        Parameters
        ----------
        path : str or path, optional
            A .png, .pdf or .svg to write.
        title : str, optional
            What stands over all.
        kind : str, optional
            "loss": the value against the one numeric dimension of the space, on its
            scale (a learning rate's is logarithmic), with the trials that were pruned
            and that diverged.  The others are Optuna's own pictures: "slice" (the value
            against each dimension), "contour", "parallel", "history", "importance",
            "intermediate" (the losses by step).  Default: "loss" where it can be
            drawn, else "slice".

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            The path has another suffix, there is no such picture, or nothing to draw.
        ImportError
            matplotlib is missing.
        """
        one = [d for d in self.space.values() if isinstance(d, (Real, Integer))]
        alone = len(one) == len(self.space) == 1
        if kind is None:
            kind = "loss" if alone else "slice"
        one_of("kind", kind, get_args(Kind))
        if kind == "loss" and not alone:
            raise ValueError(
                "kind: expected another than 'loss', which draws one dimension that is "
                f"a number, found [{listed(self.space)}]; 'slice' draws each"
            )
        if kind != "loss" and self.study is None:
            raise ValueError(f"kind: expected 'loss' of a sweep, found {shown(kind)}")
        if not self.trials:
            raise ValueError("plot: expected at least one trial, found none")
        if kind == "intermediate" and not any(t.losses for t in self.trials):
            raise ValueError(
                "kind: expected another than 'intermediate', as no objective yielded "
                "losses by steps"
            )
        if kind not in ("loss", "intermediate") and not self._finished:
            raise ValueError(
                f"plot: expected a trial that finished, as {kind!r} draws those, found "
                f"{len(self.trials)} that did not"
            )
        _plot.check_path(path)
        _plot.require()
        if self.study is None or kind == "loss":
            figure = self._draw_loss()
        else:
            from lrcore._study import draw

            figure = draw(self.study, kind)
            if kind in ("slice", "history", "intermediate"):
                self._scale(figure.axes[0])  # a slice's others share it
        if title:
            figure.suptitle(title)
        _plot.save(figure, path)
        return figure

    def _draw_loss(self) -> Figure:
        from lrcore._figure import Picture

        ((name, dimension),) = self.space.items()
        scale = getattr(dimension, "scale", "linear")

        def points(state: State) -> tuple[list[float], list[float]]:
            found = [t for t in self.trials if t.state == state]
            x = [float(t.params[name]) for t in found]
            if scale == "complement":
                x = [1 - value for value in x]
            pairs = sorted(zip(x, (t.value for t in found), strict=True))
            return [x for x, _ in pairs], [y for _, y in pairs]

        figure = Picture(figsize=(8, 4), layout="constrained")
        axes = figure.subplots()
        finished, pruned = points("finished"), points("pruned")
        if finished[0]:
            axes.plot(*finished, "o-", color=_plot.BLUE, label="finished", markersize=5)
            at = finished[1].index(self.best.value)
            axes.plot(
                finished[0][at], self.best.value, "*", color=_plot.ORANGE, mec="black",
                markersize=14, label=f"best: {_short(self.best.params[name])}",
            )  # fmt: skip
        if pruned[0]:
            axes.plot(*pruned, "o", color="0.5", mfc="none", label="pruned")
        top = self._scale(axes)
        every = [*zip(*finished, strict=True), *zip(*pruned, strict=True)]
        high = [x for x, y in every if y > top]
        for label, marker, x in (
            ("higher", "^", high),
            ("diverged", "x", points("diverged")[0]),
        ):
            if x:
                axes.plot(
                    x, [0.97] * len(x), marker, label=label, color=_plot.VERMILION,
                    transform=axes.get_xaxis_transform(),
                )  # fmt: skip
        if scale != "linear":
            axes.set_xscale("log")
        (label,) = dimension.keys(name) if scale == "complement" else (name,)
        axes.set_xlabel("learning rate" if label == "lr" else label)
        axes.set_ylabel("loss" if self.mode == "min" else "value")
        axes.legend(frameon=False)
        _plot.tidy(axes)
        return figure

    def _scale(self, axes: Axes) -> float:
        """Make a picture's axis of values fit for losses; return where it ends.

        Logarithmic where none is negative, and without those that are a thousand times
        as high as the median: they have diverged, if not to infinity.
        """
        values = sorted(t.value for t in self.trials if t.state != "diverged")
        if self.mode == "max" or not values or values[0] <= 0:
            return math.inf
        top = 1e3 * values[len(values) // 2]
        shown = [x for x in values if x <= top]
        if shown[-1] > 10 * shown[0]:
            axes.set_yscale("log")
        if shown[-1] == values[-1]:
            return math.inf
        room = (shown[-1] / shown[0]) ** 0.1 * 1.5
        axes.set_ylim(shown[0] / room, shown[-1] * room)
        return shown[-1]

    def __str__(self) -> str:
        return self.table()


def _short(value: Any) -> str:
    """Return a value as a table shows it: four digits of a float."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _sorted(trials: Sequence[Trial], mode: str) -> tuple[Trial, ...]:
    states, sign = get_args(State), 1 if mode == "min" else -1

    def rank(trial: Trial) -> tuple[float, ...]:
        longest = -len(trial.losses) if trial.state == "pruned" else 0
        value = math.inf if math.isnan(trial.value) else sign * trial.value
        return states.index(trial.state), longest, value, trial.number

    return tuple(sorted(trials, key=rank))


def _note(
    error: BaseException,
    found: Sequence[Trial],
    space: Mapping[str, Dimension],
    mode: Literal["min", "max"],
) -> None:
    """Add the table of what was found to an error that would lose it."""
    if found:
        table = Search(_sorted(found, mode), space, mode).table(20)
        error.add_note(f"after these trials:\n{table}")


@contextmanager
def _bar(show: bool, total: int, start: int = 0) -> Iterator[Callable[[float], None]]:
    """Show a progress bar, which is told the best value after each trial."""
    if not show:
        yield lambda best: None
        return
    from tqdm import tqdm

    with tqdm(total=total, initial=start, unit=" trials", desc="searching") as bar:

        def advance(best: float) -> None:
            bar.set_postfix(best=f"{best:.4g}", refresh=False)
            bar.update()

        yield advance


# --- a sweep --------------------------------------------------------------------------


def sweep(
    make_run: Callable[[float], Any],
    lrs: Sequence[float],
    *,
    progress: bool = False,
) -> Search:
    """Try each of some learning rates, from the smallest to the largest.

    Parameters
    ----------
    make_run : callable
        ``make_run(lr)`` trains from the same beginning each time, and returns the loss
        reached; or it is a generator (or returns an iterator, or a list) of losses, of
        which the last counts.  A run whose loss is not finite, or which raises
        OverflowError or FloatingPointError, has diverged; it is not continued.
        Whatever else it raises (so would numpy.linalg.LinAlgError) ends the sweep.
    lrs : sequence of float
        Learning rates, finite and > 0, each once: usually a factor of 2 to 10 apart, as
        those of ``np.geomspace(1e-5, 1, 11)`` or ``lrcore.space.lr().points(11)``.
    progress : bool
        Whether to show a progress bar.  Default False.

    Returns
    -------
    Search
        With the table of the rates, the best one, and its picture.

    Raises
    ------
    TypeError, ValueError
        `make_run` cannot be called or gives no number, there are no rates, or one is
        out of its domain.
    Exception
        What `make_run` raises (or Ctrl-C), with a note (``__notes__``) of the rate and
        the table of the runs before it.

    Examples
    --------
    >>> def make_run(lr):
    ...     w = np.array([3.0, -2.0])
    ...     opt = lrcore.SGD(w, lr=lr)
    ...     for _ in range(50):
    ...         opt.step(w.copy())  # the gradient of |w|^2 / 2
    ...         yield (w**2).sum() / 2
    >>> result = lrcore.sweep(make_run, [1e-3, 1e-2, 0.1, 2.5])
    >>> result.best_params
    {'lr': 0.1}
    """
    _callable("make_run", make_run)
    rates = sorted(_rates(lrs))
    low, high = rates[0], rates[-1]
    if low == high:  # one rate spans no range; the dimension says how to draw it
        low, high = (low, 2 * low) if low < 1 else (low / 2, low)
    space = {"lr": Real(low, high, "log")}
    found: list[Trial] = []
    with _bar(progress, len(rates)) as advance:
        for i, lr in enumerate(rates):
            losses: list[float] = []

            def record(step: int, loss: float, losses: list[float] = losses) -> None:
                losses.append(loss)

            start = time.perf_counter()
            state: State = "finished"
            try:
                value = follow("make_run", partial(make_run, lr), record)
            except Diverged:
                value, state = math.nan, "diverged"
            except BaseException as error:
                error.add_note(f"in make_run({lr!r})")
                _note(error, found, space, "min")
                raise
            seconds = time.perf_counter() - start
            found.append(Trial(i, {"lr": lr}, value, state, tuple(losses), seconds))
            done = [t.value for t in found if t.state == "finished"]
            advance(min(done, default=math.nan))
    return Search(_sorted(found, "min"), space)


def _rates(lrs: Any) -> list[float]:
    wanted = "a sequence of learning rates"
    try:
        given = list(lrs)
    except TypeError:
        raise TypeError(f"lrs: expected {wanted}, found {shown(lrs)}") from None
    if not given:
        raise ValueError(f"lrs: expected {wanted}, found none")
    rates: dict[float, None] = {}
    for i, lr in enumerate(given):
        rate = real(f"lrs[{i}]", lr, "a finite number > 0")
        if not 0 < rate < math.inf:
            raise ValueError(
                f"lrs[{i}]: expected a finite number > 0, found {shown(lr)}"
            )
        if rate in rates:
            raise ValueError(f"lrs[{i}]: expected each once, found {shown(lr)} again")
        rates[rate] = None
    return list(rates)


def _callable(name: str, value: Any) -> None:
    if not callable(value):
        raise TypeError(f"{name}: expected a function, found {shown(value)}")


# --- a study --------------------------------------------------------------------------


def tune(
    objective: Callable[[dict[str, Any]], Any],
    space: Mapping[str, Dimension | list[Any]],
    method: Method = "tpe",
    trials: int | None = None,
    *,
    mode: Literal["min", "max"] = "min",
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
) -> Search:
    """Search the hyper-parameters by which a run reaches the least loss, on Optuna.

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

    Needs Optuna: ``pip install optuna``.

    Parameters
    ----------
    objective : callable
        ``objective(params)``, of a dict with a value of each dimension, returns a
        number; or it is a generator (or returns an iterator, or a list) that yields one
        after each step of its own, say an epoch.  What it yields is reported by that
        step, counted from 1: by it "hyperband" and "asha" end a trial early, at a
        ``yield`` (``finally`` blocks run).  Its value is what it returns, else the last
        it yields.  A trial whose number is not finite, or that raises OverflowError or
        FloatingPointError, is kept as diverged, and not continued.
    space : dict
        Dimensions of `lrcore.space` by name, or lists of values.
    method : str
        "grid": all combinations of at most `points` values of each dimension.
        "log_sweep": one number on the scale "log", at `trials` points.
        "random": drawn independently.
        "tpe": Bayesian, by a tree-structured Parzen estimator (the default).
        "gp": Bayesian, by a Gaussian process; needs torch and SciPy.
        "hyperband", "asha": random, and trials that are worse than others at the same
        step are ended there.  "asha" compares all of them at once, by asynchronous
        successive halving; "hyperband" in groups that begin at different steps.
    trials : int, optional
        How many trials the study is to have finished, pruned and diverged ones
        included, those of former calls too: >= 1.  Default: 13 of "log_sweep", else 30;
        "grid" takes none, as its points say how many there are.
    mode : {"min", "max"}
        Whether the value is to fall or to rise.  Default "min".
    seed : int, optional
        Of the sampler, >= 0: by it a study of one process is reproducible, as far as
        the objective is.  Each worker draws from another one, and so does a study that
        is continued; machines at one study each need another (or None).  Default None.
    points : int, optional
        "grid": values of each dimension that is a number, >= 1.  Default 5.
    min_steps : int, optional
        "hyperband", "asha": no trial ends before so many steps, >= 1.  Default 1.
    max_steps : int, optional
        "hyperband": steps of a whole trial, > min_steps.  No default.
    reduction : int, optional
        "hyperband", "asha": at steps min_steps * reduction^k the best ``1 / reduction``
        go on, >= 2.  Default 3.
    n_jobs : int
        Processes, >= 1.  With more than one, the objective has to pickle, and a script
        that calls this needs ``if __name__ == "__main__":``.  Each process uses as many
        threads of lrcore as this one would: ``LRCORE_NUM_THREADS=1`` in the environment
        is often faster.  Default 1: in this process.
    storage : str, path or optuna.storages.BaseStorage, optional
        Where the study is kept: the URL of a database
        (``"postgresql+psycopg2://user@host/database"``, ``"sqlite:///study.db"``), the
        path of a journal file, or any storage of Optuna's.  Several machines can work
        on one study by the same call.  Default: in memory, where of an exception or
        Ctrl-C only the table of the trials before it is left, as its note
        (``__notes__``).
    name : str, optional
        The study's, in its storage: one of that name is continued.  Needed with
        `storage`.
    timeout : float, optional
        Seconds, > 0, after which no trial is begun any more.  Default: none.
    progress : bool
        Whether to show a progress bar.  Default False.

    Returns
    -------
    Search
        Of all trials of the study.  It is returned when nothing is left to begin;
        other machines may still be at their last trials.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain, or none of the method's; the objective gives
        no number, or none by steps where these end trials; the storage cannot be
        opened, or has a study of that name with another space, grid or mode.
    ImportError
        Optuna, or what the method needs, is missing.
    RuntimeError
        Workers end without an exception: they are killed again and again, the objective
        exits, or the script lacks its guard.
    Exception
        What the objective raises.  Its trial is marked as failed; to continue the study
        by its name tries those parameters again.

    Notes
    -----
    A trial is given to one process only, and none that has finished is lost or run
    again.  One that a process left (it was killed, interrupted, or raised) is marked as
    failed in Optuna's study and tried anew: at once by ``n_jobs`` workers, at the next
    call on the same machine, and by other machines where the storage has a heartbeat,
    as an URL's has (after a minute; a journal file has none).

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
    _callable("objective", objective)
    dimensions = check(space)
    one_of("method", method, get_args(Method))
    MODES.check("mode", mode)
    _check_used(
        method, points=points, min_steps=min_steps, max_steps=max_steps,
        reduction=reduction,
    )  # fmt: skip
    points = 5 if points is None else points
    min_steps = 1 if min_steps is None else min_steps
    reduction = 3 if reduction is None else reduction
    slots = _slots(dimensions, method, trials, points)
    if seed is not None:
        whole("seed", seed, "an int >= 0, or None", least=0)
    whole("min_steps", min_steps, "an int >= 1", least=1)
    whole("reduction", reduction, "an int >= 2", least=2)
    if max_steps is not None:
        text = f"an int > min_steps = {min_steps}"
        whole("max_steps", max_steps, text, least=min_steps + 1)
    elif method == "hyperband":
        raise ValueError(
            "max_steps: expected how many numbers the objective yields in a whole "
            "trial, as 'hyperband' needs it, found None"
        )
    whole("n_jobs", n_jobs, "an int >= 1", least=1)
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
        _pickles(objective)
    _require(method)

    from lrcore import _study

    plan = _study.Plan(
        objective, dimensions, method, mode == "max", slots, name or "lrcore", seed,
        min_steps, max_steps, reduction, deadline,
    )  # fmt: skip
    lost = storage is None
    with _study.quiet():
        if lost and n_jobs > 1:
            with TemporaryDirectory(prefix="lrcore-") as directory:
                shared = _study.open_storage(Path(directory) / "journal")
                study = _study.in_memory(_run(plan, shared, n_jobs, progress, lost))
        else:
            study = _run(plan, _study.open_storage(storage), n_jobs, progress, lost)
        found = _trials(study.get_trials(deepcopy=False), plan)
    return Search(_sorted(found, mode), dimensions, mode, study)


_USED_BY = {
    "points": ("grid",),
    "min_steps": ("hyperband", "asha"),
    "max_steps": ("hyperband",),
    "reduction": ("hyperband", "asha"),
}


def _check_used(method: str, **given: int | None) -> None:
    for name, value in given.items():
        if value is not None and method not in _USED_BY[name]:
            raise ValueError(
                f"{name}: expected None for {method!r}, as it is of "
                f"{' and '.join(map(repr, _USED_BY[name]))}, found {shown(value)}"
            )


def _slots(
    space: Mapping[str, Dimension], method: str, trials: int | None, points: int
) -> list[dict[str, Any]]:
    """Return the parameters of each trial, as Optuna's, as far as they are fixed."""
    if trials is not None:
        whole("trials", trials, "an int >= 1, or None", least=1)
    whole("points", points, "an int >= 1", least=1)
    if method == "log_sweep":
        if len(space) > 1 or getattr(next(iter(space.values())), "scale", "") != "log":
            raise ValueError(
                "space: expected one number on the scale 'log' for 'log_sweep', as "
                f"{{'lr': lrcore.space.lr()}}, found {shown(dict(space))}; "
                "'grid' takes any"
            )
        points = 13 if trials is None else trials
    elif method != "grid":
        return [{} for _ in range(30 if trials is None else trials)]
    columns = [
        [dimension.write(name, value) for value in dimension.points(points)]
        for name, dimension in space.items()
    ]
    grid = [dict(ChainMap(*row)) for row in product(*columns)]
    if method == "grid" and trials not in (None, len(grid)):
        raise ValueError(
            f"trials: expected None for 'grid', whose {len(grid)} points follow from "
            f"`points` and the space, found {shown(trials)}"
        )
    return grid


def _pickles(objective: Any) -> None:
    function = objective
    while isinstance(function, partial):
        function = function.func
    main = getattr(sys.modules["__main__"], "__file__", None) or ""
    if getattr(function, "__module__", "") == "__main__" and not Path(main).is_file():
        raise TypeError(
            "objective: expected one of a module that other processes can import, as "
            f"n_jobs > 1 needs it, found {shown(objective)}, which was defined at the "
            "prompt or in a notebook; put it into a file and import it"
        )
    try:
        pickle.dumps(objective)
    except Exception as error:
        raise TypeError(
            "objective: expected one that pickles, as n_jobs > 1 sends it to other "
            f"processes, found {shown(objective)} ({shortened(str(error))}); define it "
            "at a module's top level, with functools.partial or a class's __call__ for "
            "what else it needs"
        ) from None


def _require(method: str) -> None:
    if find_spec("optuna") is None:
        raise ImportError(
            "tune needs Optuna: pip install optuna; lrcore.sweep does without"
        )
    if method == "gp":
        missing = [each for each in ("torch", "scipy") if find_spec(each) is None]
        if missing:
            raise ImportError(
                "method 'gp' is Optuna's Gaussian process, which needs "
                f"{' and '.join(missing)}: pip install {' '.join(missing)}; 'tpe' is "
                "Bayesian too, and does without"
            )


def _run(
    plan: Plan, storage: Any, n_jobs: int, progress: bool, lost: bool
) -> optuna.Study:
    """Run what is left of a study; note it on an error by which it is lost."""
    from lrcore import _study

    study = _study.open_study(plan, storage)
    _study.bury(study)
    _study.fill(study, plan)
    found = _trials(study.get_trials(deepcopy=False), plan)
    with _bar(progress, len(plan.points), len(found)) as advance:

        def done(each: FrozenTrial) -> bool:
            found.extend(_trials([each], plan))
            finished = [t.value for t in found if t.state == "finished"]
            best = max if plan.maximize else min
            advance(best(finished, default=math.nan))
            return True

        try:
            if n_jobs == 1:
                _study.work(study, plan, done)
            else:
                _study.work_together(study, plan, storage, n_jobs, done)
        except BaseException as error:
            if lost:
                _note(error, found, plan.space, "max" if plan.maximize else "min")
            raise
    return study


def _trials(every: Sequence[FrozenTrial], plan: Plan) -> list[Trial]:
    """Return those of Optuna's trials that are at their end, as ours."""
    return [_trial(t, plan) for t in every if t.state.name in ("COMPLETE", "PRUNED")]


def _trial(trial: FrozenTrial, plan: Plan) -> Trial:
    state: State = "pruned" if trial.state.name == "PRUNED" else "finished"
    value = math.nan if trial.value is None else trial.value
    reported = [x for _, x in sorted(trial.intermediate_values.items())]
    if "diverged" in trial.user_attrs:
        state, value = "diverged", math.nan
    took = trial.duration
    return Trial(
        trial.number,
        {name: d.read(name, trial.params) for name, d in plan.space.items()},
        value,
        state,
        tuple(x if math.isfinite(x) else math.nan for x in reported),
        math.nan if took is None else took.total_seconds(),
    )


__all__ = ["Search", "Trial", "sweep", "tune"]
