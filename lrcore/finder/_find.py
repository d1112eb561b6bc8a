"""The learning-rate range test: a short sweep, after which everything is put back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import signature
from math import inf, isfinite
from typing import Any, Literal

from lrcore._shared.words import shortened, shown
from lrcore.finder._batches import Batches
from lrcore.finder._kept import Rng
from lrcore.finder._result import RangeTest
from lrcore.finder._sweep import LRSweep, scalar
from lrcore.optimizers.base.optimizer import Optimizer


def lr_find(
    opt: Optimizer,
    loss_and_grad: Callable[[Any], tuple[Any, Any]],
    batches: Iterable[Any] | Callable[[], Iterable[Any]],
    start: float = 1e-7,
    end: float = 10.0,
    num: int = 100,
    *,
    schedule: Literal["exponential", "linear"] = "exponential",
    smoothing: float = 0.98,
    stop: float = 4.0,
    trial_steps: int = 200,
    rng: Rng | Iterable[Rng] | None = None,
    also: Any = None,
    progress: bool = False,
) -> RangeTest:
    """Find a learning rate by a range test, and by short trials near its result.

    The sweep takes one step at each of `num` rising rates, until the loss diverges
    (Smith 2017).  Four rules read a rate off its curve.  None of them is right in more
    than two cases of three, so trials decide.  A trial takes `trial_steps` steps at a
    constant rate.  The rates of trials lie a quarter or half a decade apart; trials end
    when the best one has no better neighbour.  The suggested rate must then also work
    for three times as many steps.  In all that takes some 1,800 steps.
    ``found.apply(opt)`` sets the rate; its documentation shows how to train with a
    schedule of that peak.  (Optimizers that find their rate themselves, such as Prodigy
    and DoG, need no test: leave their lr at 1.)

    Everything is put back to the bit before each trial and at the end, after an
    exception or Ctrl-C too: params, the optimizer's state, step count, averages and
    gathered gradients, learning rates and schedules, random generators, and the arrays
    in `also`.  (``opt.report`` is None until the next step.)  For this the test holds a
    copy of the params and of the optimizer's state, and for a moment a second copy of
    the state.

    Parameters
    ----------
    opt : Optimizer
        An optimizer of any kind.  Its clipping, `skip_nonfinite` and other settings
        apply.
    loss_and_grad : callable
        Takes a batch; returns its loss, a scalar, and its gradients as ``opt.step``
        takes them.
    batches : iterable, or callable that returns one
        A list, a loader, or a function such as ``lambda: loader(seed=0)`` starts anew
        for the sweep and for each trial, and again when its batches are used up.  An
        iterator or generator cannot: its batches are consumed, and when there are no
        more the test ends early.  A source with ``state_dict`` and ``load_state_dict``
        is put back by them.
    start, end : float
        The lowest and the highest rate of the sweep and of the trials, from 1e-100 to
        1e100; end is at least 1.1 times start.  These are rates of the first group; the
        other groups keep the ratio to it that they have at the next step.  Default
        1e-7, 10.
    num : int
        Number of rates in the sweep, >= 20.  Default 100.
    schedule : {"exponential", "linear"}
        Whether the rates are spaced evenly in log lr or in lr.  Default "exponential".
    smoothing : float
        In [0, 1): the factor by which the weight of a loss in the average falls over
        the mean spacing of the rates in log lr.  Default 0.98.
    stop : float
        End the sweep when the smoothed loss exceeds `stop` times its best (and exceeds
        its first), > 1.  With inf, only a loss that is not finite ends it.  Default 4.
    trial_steps : int
        Steps of a trial, >= 20.  More steps bring the suggestion nearer to what is best
        for a long training.  With 0 there are no trials, and the sweep alone decides,
        which is right less often.  Default 200.
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
        ``opt.step`` is told, have the opposite sign if the optimizer maximizes.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain, a loss is no scalar, there is no batch, a
        gradient cannot be used, or the first of several groups has lr 0 at the next
        step.  Everything is put back then, except arrays that the loop made read-only.

    Notes
    -----
    The rules read the smoothed curve.  As in fastai, they ignore the first 10 % of its
    points and the last 5:

    - ``valley``: half-way along the longest fall;
    - ``slide``: move left from the end of the curve until the slope is even;
    - ``minimum``: a tenth of the rate of the least loss;
    - ``steep``: the rate where the loss falls fastest by log lr.

    A trial's score is the mean loss of its last fifth.  The suggestion is the lowest
    rate whose descent is within 2 % of the best.  If a run of three times as many steps
    at that rate loses more than a quarter of its descent, lower rates are tried.

    bench/finder.py measures how near the suggestion comes to the best rate.

    References
    ----------
    Smith 2017, "Cyclical learning rates for training neural networks", section 3.3;
    the rules: fastai's ``lr_find``.

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
    0.002
    >>> print(found.reason)
    diverged at 6.9; lowest rate within 2 % of the best of 8 trials of 200 steps
    >>> found.apply(opt)
    """
    sweep = LRSweep(
        opt, start, end, num, schedule=schedule, smoothing=smoothing, stop=stop,
        trial_steps=trial_steps, rng=rng, also=also, progress=progress,
    )  # fmt: skip
    if not callable(loss_and_grad):
        raise TypeError(
            "loss_and_grad: expected a function of a batch that returns the loss and "
            f"the gradients, found {shown(loss_and_grad)}"
        )
    source, told = Batches(batches), _takes_loss(opt.step)
    with sweep, source:
        for _ in sweep:
            if sweep.begins:
                source.begin()
            losses = []
            for _ in range(opt.accumulate):
                try:
                    batch = source.next()
                except StopIteration:
                    sweep._cut = (
                        "the batches ended: hand in a list, or a function that returns "
                        "an iterator"
                    )
                    return sweep.result
                loss, grads = _called(loss_and_grad, batch, not sweep.begins)
                losses.append(loss)
                if not isfinite(loss):
                    break
                opt.step(grads, sweep._sign * loss) if told else opt.step(grads)
            sweep.record(sum(losses) / len(losses))
    return sweep.result


def _takes_loss(step: Callable[..., bool]) -> bool:
    """Whether a step, which a subclass may have overridden, can be told the loss."""
    try:
        signature(step).bind(None, 0.0)
    except TypeError:
        return False
    return True


def _called(
    loss_and_grad: Callable[[Any], tuple[Any, Any]], batch: Any, later: bool
) -> tuple[float, Any]:
    """Return the loss and the gradients of a batch.

    An overflow that Python raises counts as an infinite loss if it is `later` than the
    first step, as a high rate is the likely cause then.
    """
    try:
        returned = loss_and_grad(batch)
    except (OverflowError, FloatingPointError):
        if later:  # math.exp raises where NumPy returns inf
            return inf, None
        raise
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise TypeError(
            "loss_and_grad: expected it to return a pair, the loss and the gradients, "
            f"found {shortened(type(returned).__name__)}"
        )
    return scalar(returned[0]), returned[1]
