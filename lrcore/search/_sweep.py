"""A sweep: one run at each of several learning rates."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from lrcore._shared.domains import FLAG, real
from lrcore._shared.words import shown
from lrcore.search._arguments import check_callable
from lrcore.search._losses import Diverged, follow
from lrcore.search._progress import bar, note
from lrcore.search._result import Search
from lrcore.search._trial import State, Trial, ranked
from lrcore.space._numbers import Real


def sweep(
    make_run: Callable[[float], Any],
    lrs: Sequence[float],
    *,
    progress: bool = False,
) -> Search:
    """Train at each of several learning rates, from the smallest to the largest.

    Parameters
    ----------
    make_run : callable
        ``make_run(lr)`` trains from the same beginning each time, and returns the loss
        reached; or it is a generator (or returns an iterator, or a list) of losses, of
        which the last counts.  A run whose loss is not finite, or which raises
        OverflowError or FloatingPointError, has diverged; it is not continued.  Any
        other exception, such as numpy.linalg.LinAlgError, ends the sweep.
    lrs : sequence of float
        Learning rates, finite and > 0, each once.  Usual ones differ by a factor of 2
        to 10: ``np.geomspace(1e-5, 1, 11)``, or ``lrcore.space.lr().points(11)``.
    progress : bool
        Whether to show a progress bar.  Default False.

    Returns
    -------
    Search
        The trials, with their table, the best one, and a picture.

    Raises
    ------
    TypeError, ValueError
        `make_run` cannot be called or gives no number, there are no rates, or a rate or
        `progress` is out of its domain.
    Exception
        An exception of `make_run`, or Ctrl-C; notes (``__notes__``) tell the rate, and
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
    check_callable("make_run", make_run)
    rates = sorted(_rates(lrs))
    FLAG.check("progress", progress)
    low, high = rates[0], rates[-1]
    if low == high:  # `Real` needs two bounds
        low, high = (low, 2 * low) if low < 1 else (low / 2, low)
    space = {"lr": Real(low, high, "log")}
    found: list[Trial] = []
    with bar(progress, len(rates)) as advance:
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
                note(error, found, space, "min")
                raise
            seconds = time.perf_counter() - start
            found.append(Trial(i, {"lr": lr}, value, state, tuple(losses), seconds))
            done = [t.value for t in found if t.state == "finished"]
            advance(min(done, default=math.nan))
    return Search(ranked(found, "min"), space)


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
