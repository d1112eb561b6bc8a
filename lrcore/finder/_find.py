"""The learning-rate range test: a rate from a short sweep that leaves no trace."""

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
    progress: bool = False,
) -> RangeTest:
    """Find a learning rate: a range test, then short trials about what it says.

    The sweep takes one step at each of `num` rising rates, until the loss diverges
    (Smith 2017).  Rules read rates off its curve.  As none of them is right more often
    than in two cases of three, trials then decide: so many steps at a constant rate, a
    quarter or half a decade apart, until the best has no better neighbour.  What is
    suggested has to hold for three times as long.  In all some 1,800 steps.
    ``found.apply(opt)`` sets it, and says how to train by a schedule of that peak.  (An
    optimizer that finds its rate by itself, as Prodigy or DoG, needs no test: leave its
    lr at 1.)

    Everything is put back to the bit before each trial and at the end, also after an
    exception or Ctrl-C: params, the optimizer's state, step count, averages, gathered
    gradients, learning rates and schedules, and random generators.  (``opt.report`` is
    None until the next step.)  Copies of the params and of the optimizer's state are
    held for that, and a second one of the state for a moment when it is put back.

    Parameters
    ----------
    opt : Optimizer
        Of any kind.  Its clipping, `skip_nonfinite` and other settings apply.
    loss_and_grad : callable
        Of a batch: returns the loss, a scalar, and the gradients as ``opt.step`` takes
        them.
    batches : iterable, or callable that returns one
        A list, a loader, or a function such as ``lambda: loader(seed=0)`` starts anew
        for the sweep and for each trial, and again at its end.  An iterator or
        generator cannot: its batches are used up, and its end cuts the test short.  One
        that has ``state_dict`` and ``load_state_dict`` is put back by them.
    start, end : float
        The lowest and the highest rate of the sweep, and the bounds of the trials, from
        1e-100 to 1e100; end is 1.1 times start at least.  It is the first group's;
        other groups' keep their ratio to it, which is that at the next step.  Default
        1e-7, 10.
    num : int
        Rates of the sweep, >= 20.  Default 100.
    schedule : {"exponential", "linear"}
        Whether the rates rise by a factor or by a summand.  Default "exponential".
    smoothing : float
        In [0, 1): by how much a loss's weight in the average falls with each step's
        mean distance in log lr.  Default 0.98.
    stop : float
        End the sweep where the smoothed loss is above `stop` times its best (and its
        first), > 1; inf: only where a loss is not finite.  Default 4.
    trial_steps : int
        Steps of a trial, >= 20; 0: none, the sweep alone, which is right less often.
        The more, the nearer the suggestion is to what is best for a long training.
        Default 200.
    rng : numpy.random.Generator, or several, optional
        To be put back too (RandomState and BitGenerator as well).  The global ones of
        NumPy and of Python always are.  How many children a Generator has spawned
        cannot be set back: spawn from a new one in each call of `batches`.
    progress : bool
        Show a bar.  Default False.

    Returns
    -------
    RangeTest
        ``suggestion``, ``confidence`` and ``reason``, the curve, every rule's rate;
        ``print`` shows it as text, ``plot()`` as a picture.  Its losses are negative
        where the optimizer maximizes.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain, a loss is no scalar, there is no batch, a
        gradient cannot be used, or the first of several groups has lr 0 at the next
        step.  All is as it was then, but arrays that the loop made read-only.

    Notes
    -----
    The rules, on the smoothed curve without its first tenth and last 5 points, as in
    fastai:

    - ``valley``: half-way along the longest fall;
    - ``slide``: where, from the right, the slope becomes even;
    - ``minimum``: a tenth of the rate of the least loss;
    - ``steep``: where the loss falls fastest by log lr.

    A trial's score is the mean loss of its last fifth.  Of the rates that descend as
    far as the best one, to 2 %, the lowest is suggested.  Held for three times as long,
    it may lose a quarter of its descent, or the next lower ones are looked at.

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
        trial_steps=trial_steps, rng=rng, progress=progress,
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
                opt.step(grads, loss) if told else opt.step(grads)
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
    """Return the loss and the gradients; later: whether a rate was tried before."""
    try:
        returned = loss_and_grad(batch)
    except (OverflowError, FloatingPointError):
        if later:  # as math.exp does where NumPy gives inf
            return inf, None
        raise
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise TypeError(
            "loss_and_grad: expected it to return a pair, the loss and the gradients, "
            f"found {shortened(type(returned).__name__)}"
        )
    return scalar(returned[0]), returned[1]
