"""The learning-rate range test: a short sweep, after which everything is put back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from lrcore._shared.domains import whole
from lrcore._shared.words import shown
from lrcore.finder._batches import Batches
from lrcore.finder._horizon import Schedule
from lrcore.finder._loop import take_steps
from lrcore.finder._random import Rng
from lrcore.finder._result import RangeTest
from lrcore.finder._score import Score
from lrcore.finder._sweep import LRSweep
from lrcore.optimizers.base.optimizer import Optimizer


def lr_find(
    opt: Optimizer,
    loss_and_grad: Callable[[Any], tuple[Any, Any]],
    batches: Iterable[Any] | Callable[[], Iterable[Any]],
    start: float | None = None,
    end: float | None = None,
    num: int = 100,
    *,
    spacing: Literal["exponential", "linear"] = "exponential",
    smoothing: float = 0.98,
    stop: float = 4.0,
    trial_steps: int = 300,
    schedule: Schedule | None = None,
    total: int | None = None,
    score: Callable[[], Any] | None = None,
    score_every: int = 10,
    rng: Rng | Iterable[Rng] | None = None,
    also: Any = None,
    progress: bool = False,
) -> RangeTest:
    """Find a learning rate by a range test, and by a race of rates near its result.

    The sweep takes one step at each of `num` rising rates, until the loss diverges
    (Smith 2017).  Four rules read a rate off its curve.  None of them is right in more
    than two cases of three, so a race decides: rates half a decade apart train on the
    same batches, each from the same beginning.  They take turns, and those that are
    decidedly behind train no further.  The race ends after `trial_steps` steps, or two
    thirds of them if one rate is left.  In all that takes some 900 evaluations of
    `loss_and_grad`.  ``found.apply(opt)`` sets the rate; ``found.adopt(opt)`` also
    takes over what the winner has learnt.  (Optimizers that find their rate themselves,
    such as Prodigy and DoG, need no test: leave their lr at 1.)

    Everything is put back to the bit at the end, after an exception or Ctrl-C too:
    params, the optimizer's state, step count, averages and gathered gradients, learning
    rates and schedules, random generators, and the arrays in `also`.  (``opt.report``
    is None until the next step.)  For this the test holds a copy of the params and of
    the optimizer's state, and one more for each rate that is in the race: three to
    five, seldom more.  The result holds one, for `adopt`.

    Parameters
    ----------
    opt : Optimizer
        An optimizer of any kind.  Its clipping and other settings apply.  Steps whose
        loss or gradients are not finite are left out.
    loss_and_grad : callable
        Takes a batch; returns its loss, a scalar, and its gradients as ``opt.step``
        takes them.  Meanwhile ``opt.lr`` is the rate; a group's "lr" may be a schedule.
    batches : iterable, or callable that returns one
        A list, a loader, or a function such as ``lambda: loader(seed=0)`` starts anew
        when its batches are used up.  An iterator or generator cannot: its batches are
        consumed (as many as `num`, or `trial_steps` if they are more), and when there
        are no more the test ends early.  A source with ``state_dict`` and
        ``load_state_dict`` is put back by them.  Up to `num` batches are held, or half
        of `trial_steps` if they are more.
    start, end : float
        The lowest and the highest rate of the sweep and of the race, from 1e-100 to
        1e100; end is at least 1.1 times start.  These are rates of the first group; the
        other groups keep the ratio to it that they have at the next step.  Default:
        1e-7 and 10; if the sweep diverges before it tells anything it begins again
        lower, and the race goes on to higher rates while they are better.
    num : int
        Number of rates in the sweep, >= 20.  Default 100.
    spacing : {"exponential", "linear"}
        Whether the rates are spaced evenly in log lr or in lr.  Default "exponential".
    smoothing : float
        In [0, 1): the factor by which the weight of a loss in the average falls over
        the mean spacing of the rates in log lr.  Default 0.98.
    stop : float
        End the sweep when, after a tenth of its rates, the smoothed loss exceeds `stop`
        times its best (and exceeds its first), > 1; and a trial when it exceeds `stop`
        times the first loss.  With inf, only losses that are not finite end them.
        Default 4.
    trial_steps : int
        Steps of the race, >= 20.  More steps bring the suggestion nearer to what is
        best for a long training.  With 0 there is no race, and the sweep alone
        decides, which is right less often.  Default 300.
    schedule : callable, optional
        The schedule of the training to come, as ``Cosine(1.0, total=5000)``.  The
        trials run through all of it, and the suggestion is its highest rate, which is
        not the best constant rate.  Needs `total`.
    total : int, optional
        Steps of the training to come.  The trials are not longer than it, but 20 steps
        at least.  If half a decade above the winner the loss has diverged, the winner
        is run on up to `total`, or 3 times `trial_steps`, to see whether it holds.
    score : callable, optional
        Returns a number that is higher where the params are better, as scikit-learn's
        scorers do: a return, an accuracy on other data.  It takes the place of the
        loss, which only tells when a rate diverges.
    score_every : int
        Call `score` before every so many steps of a trial, and in the sweep before
        every 4th at least; in trials so short that it would be called fewer than 30
        times, more often.  With 1 it is called in each step, after the loss.
        Default 10.
    rng : numpy.random.Generator, or several, optional
        Generators to put back (RandomState and BitGenerator, too).  The global ones of
        NumPy and of Python always are.  The count of children that a Generator has
        spawned cannot be put back: spawn from a new one in each call of `batches`.
    also : ndarray, nested list / tuple / dict of ndarray, optional
        Other arrays to put back, which `loss_and_grad` changes in place: the running
        statistics of batch normalisation, say.  Of any dtype.
    progress : bool
        Show a bar.  Default False.

    Returns
    -------
    RangeTest
        ``suggestion``, ``confidence`` and ``reason``, the curve, and each rule's rate;
        ``print`` shows it as text, ``plot()`` as a picture.  Its losses, and those that
        ``opt.step`` is told, have the opposite sign if the optimizer maximizes; in
        place of a `score` they are its opposite.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain, a loss is no scalar, there is no batch, a
        gradient cannot be used, or the first of several groups has lr 0 at the next
        step.  Everything is put back then, except arrays that the loop made read-only.

    Notes
    -----
    The rules read the smoothed curve of running medians of 5 losses.  As in fastai,
    they ignore the first 10 % of its points and the last 5:

    - ``valley``: half-way along the longest fall;
    - ``slide``: move left from the end of the curve until the slope is even;
    - ``minimum``: a tenth of the rate of the least loss;
    - ``steep``: the rate where the loss falls fastest by log lr.

    The race begins at 10^0.25 times ``minimum``.  That is multiplied by 10^-0.5 if the
    optimizer keeps a running mean of gradients, and by 10^-0.25 if one of their
    squares: these are behind a rate that rises (bench/fit_prior.py).  Where the fall
    of the sweep is not larger than the differences between batches, the first params'
    losses on the same batches are subtracted before.  After a sixth of the race, rates
    are added until the best one has no better neighbour; then only neighbours stay.
    If a lower or higher one comes to lead in the first half, its neighbours catch up
    from the beginning.

    A rate is behind when the mean of its paired differences to the best one's losses
    is above 0 by 2 standard errors, and will be at the end if they go on to change as
    they do.  Then it leaves: the next lower rate from two thirds of the race on, as
    lower rates show late what they are good for; the next higher one from a third on,
    if it is behind by half of the descent so far, and later for less.  A neighbour
    also leaves when it is certainly as good, to within 5 % of the descent.  Values
    further from the median than 6 standard deviations are clipped in all means.

    The winner has the least mean loss in the last third.  The loss falls slowly
    towards the best rate and rises fast above it, so the suggestion is half-way to one
    of its neighbours if that one is behind by less than a tenth of what the other one
    is.  Without a race it is ``minimum ** 0.75 * valley ** 0.25``.

    bench/finder.py measures how near the suggestion comes to the best rate.

    References
    ----------
    Smith 2017, "Cyclical learning rates for training neural networks", section 3.3;
    the rules: fastai's ``lr_find``.  Races: Maron & Moore 1994, "Hoeffding races".

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> w, minimum = np.zeros(2), np.array([3.0, -1.0])
    >>> opt = lrcore.SGD(w, momentum=0.9)
    >>> def loss_and_grad(noise):
    ...     error = w - minimum - noise
    ...     return error @ error / 2, error
    >>> batches = np.random.default_rng(0).normal(0, 0.1, (50, 2))
    >>> found = lrcore.lr_find(opt, loss_and_grad, batches)
    >>> w, opt.t                                # as before
    (array([0., 0.]), 0)
    >>> round(found.suggestion, 3)
    0.006
    >>> print(found.reason)
    diverged at 10; best of 6 rates in 200 steps
    >>> found.apply(opt)
    """
    sweep = LRSweep(
        opt, start, end, num, spacing=spacing, smoothing=smoothing, stop=stop,
        trial_steps=trial_steps, schedule=schedule, total=total,
        score_every=1 if score is None else score_every, rng=rng, also=also,
        progress=progress,
    )  # fmt: skip
    whole("score_every", score_every, "an int >= 1", least=1)
    if not callable(loss_and_grad):
        raise TypeError(
            "loss_and_grad: expected a function of a batch that returns the loss and "
            f"the gradients, found {shown(loss_and_grad)}"
        )
    scored = None if score is None else Score(score, sweep._told.stride, -sweep._sign)
    source = Batches(batches)
    with sweep, source:
        source.begin()
        take_steps(opt, sweep, source, loss_and_grad, scored)
    return sweep.result
