"""The learning-rate range test: a rate from a short sweep that leaves no trace."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf, isfinite
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from lrcore import _check, _suggest
from lrcore._shared.domains import FRACTION, Reals, choice, real, whole
from lrcore._suggest import Curve, Trials, conclude, ratios
from lrcore._suggest import RangeTest as RangeTest
from lrcore._typing import Array
from lrcore._words import shortened, shown
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["LRSweep", "RangeTest", "lr_find"]

Rng = np.random.Generator | np.random.RandomState | np.random.BitGenerator

_SPACED: dict[str, Callable[[float, float, int], Array]] = {
    "exponential": np.geomspace,
    "linear": np.linspace,
}

# Far enough from what a float cannot be for quotients and powers of them.
_RATE = Reals("a number from 1e-100 to 1e100", 1e-100, 1e100)
_WIDTH = 1.1  # of the sweep, end over start, at least

_TRIAL_SMOOTHING = 0.9


class LRSweep:
    """A range test in a loop of your own: hands out rates, takes losses.

    ::

        with lrcore.LRSweep(opt) as sweep:
            for lr in sweep:                     # opt has it already
                loss, grads = loss_and_grad(next(batches))
                opt.step(grads)
                sweep.record(loss)
        sweep.result.apply(opt)

    `lr_find` has the parameters, and what it does; it is this loop.  At the end of the
    block, and before each trial, all is put back to the bit but your batches: where
    `begins` is true, start them anew if you can.

    Attributes
    ----------
    begins : bool
        Whether the rate handed out is the first since all was put back.
    result : RangeTest
        Of the losses so far, also after an exception.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.
    RuntimeError
        The loop is not in the block, is run twice, or a rate had no loss or two; the
        optimizer is in a step, or lends its params.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> w = np.array([1.0, -2.0])
    >>> opt = lrcore.SGD(w, lr=0.1)
    >>> with lrcore.LRSweep(opt, trial_steps=0) as sweep:
    ...     for lr in sweep:
    ...         sweep.record(w @ w / 2)
    ...         _ = opt.step(w.copy())
    >>> w, opt.lr
    (array([ 1., -2.]), 0.1)
    >>> sweep.result.reason
    'no divergence up to 10; still falling there: raise end'
    """

    def __init__(
        self,
        opt: Optimizer,
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
    ) -> None:
        ratios(opt)  # which may refuse it
        low, high = _RATE.check("start", start), _RATE.check("end", end)
        if not _WIDTH * low <= high:
            raise ValueError(
                f"end: expected at least {_WIDTH} times start = {low}, found "
                f"{shown(end)}"
            )
        least = _suggest.FEWEST
        num = whole("num", num, f"an int >= {least}", least=least)
        schedule = choice(*_SPACED).check("schedule", schedule)
        smoothing = FRACTION.check("smoothing", smoothing)
        self._stop = real("stop", stop, "a number > 1")
        if not self._stop > 1:
            raise ValueError(f"stop: expected a number > 1, found {shown(stop)}")
        wanted = f"0, or an int >= {least}"
        self._trial_steps = whole("trial_steps", trial_steps, wanted, least=0)
        if 0 < self._trial_steps < least:
            raise ValueError(
                f"trial_steps: expected {wanted}, found {shown(trial_steps)}"
            )
        self._rngs = _rngs(rng)
        self._opt = opt
        self._swept = Curve(_SPACED[schedule](low, high, num), smoothing, self._stop)
        self._now = self._swept  # the sweep, or the trial, that is under way
        self._trials = Trials(low, high, self._trial_steps)
        self._hidden = not progress
        self._kept: _Kept | None = None
        self._begun = self._waiting = False
        self._cut = "the loop has not come to its end"
        self.begins = False

    @property
    def result(self) -> RangeTest:
        """What the losses so far say."""
        return conclude(self._swept, self._trials, self._cut)

    # --- the block --------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._begun or self._kept:
            raise RuntimeError("LRSweep: expected one block a sweep; make another")
        from tqdm import tqdm  # not where lrcore is imported

        self._kept = _Kept(self._opt, self._rngs)
        self._bar = tqdm(
            desc="range test", total=len(self._swept.lrs), unit=" steps",
            disable=self._hidden, leave=False,
        )  # fmt: skip
        self._errstate = np.errstate(all="ignore")  # to overflow is what ends a sweep
        self._errstate.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        interrupt = None
        try:
            while self._kept:  # wholly, also where a Ctrl-C comes in between
                try:
                    self._kept.put_back()
                    self._kept = None
                except KeyboardInterrupt as later:
                    interrupt = later
        finally:
            self._errstate.__exit__(kind, error, trace)
            self._bar.close()
        if interrupt is not None:
            raise interrupt

    def __iter__(self) -> Iterator[float]:
        if self._begun:
            raise RuntimeError("LRSweep: expected one loop a sweep; make another")
        self._block()
        self._begun = True
        return self._hand_out()

    def record(self, loss: float) -> None:
        """Take the loss at the rate handed out: of a batch, before the step.

        Raises
        ------
        TypeError
            It is no scalar.
        RuntimeError
            There is no rate without a loss.
        """
        self._block()
        value = _scalar(loss)
        if not self._waiting:
            raise RuntimeError("record: expected one loss for each rate handed out")
        self._waiting = False
        self._now.add(-value if self._opt.param_groups[0]["maximize"] else value)
        self._bar.update()

    # --- the loop ---------------------------------------------------------------------

    def _block(self) -> _Kept:
        if self._kept is None:
            raise RuntimeError(
                "LRSweep: expected its loop in `with LRSweep(...) as sweep:`, at whose "
                "end all is put back"
            )
        return self._kept

    def _hand_out(self) -> Iterator[float]:
        yield from self._run("range test")
        self._trials.begin(self._swept)
        while (trial := self._trials.next()) is not None:
            self._block().put_back()
            lr, steps = trial
            self._now = Curve(np.full(steps, lr), _TRIAL_SMOOTHING, self._stop)
            yield from self._run(f"trial of {lr:.2g}")
            self._trials.add(self._now)
        self._cut = ""

    def _run(self, name: str) -> Iterator[float]:
        """Hand out the rates of what is under way, until that ends."""
        self._bar.set_description(name, refresh=False)
        self._bar.reset(len(self._now.lrs))
        self._block().begin()
        self.begins = True
        for lr in self._now.lrs.tolist():
            self._block().set_rate(lr)
            self._waiting = True
            yield lr
            self._block()
            if self._waiting:
                raise RuntimeError(
                    f"record: expected a loss at the rate {lr:g}, found none; call "
                    "sweep.record(loss) in the loop"
                )
            self.begins = False
            if self._now.ended:
                break


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
    source = _Batches(batches)
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
                opt._step(grads, loss)
            sweep.record(sum(losses) / len(losses))
    return sweep.result


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
    return _scalar(returned[0]), returned[1]


def _scalar(loss: Any) -> float:
    if getattr(loss, "ndim", 0):
        raise TypeError(
            f"loss: expected a scalar, found an array of shape {loss.shape}; "
            "take its mean"
        )
    return real("loss", loss, "a scalar")


# --- what is put back -----------------------------------------------------------------


class _Kept:
    """Copies of all that a sweep changes."""

    def __init__(self, opt: Optimizer, rngs: Sequence[Rng]) -> None:
        self._opt = opt
        self._saved = opt.state_dict()
        self._params = [(leaf, leaf.array.copy()) for leaf in opt._tree.leaves]
        self._rates = [group["lr"] for group in opt.param_groups]
        self._ratios = ratios(opt)
        self._rngs = [(rng, _state_of(rng)) for rng in rngs]
        self._global = np.random.get_state(legacy=False)  # noqa: NPY002 # the user's
        self._python = random.getstate()

    def begin(self) -> None:
        """Leave out gradients that were gathered before: a mean is of one rate's."""
        self._opt._plan.restart(self._opt.t, 0)

    def set_rate(self, lr: float) -> None:
        """Give the first group this rate, and the others theirs in proportion."""
        for group, ratio in zip(self._opt.param_groups, self._ratios, strict=True):
            group["lr"] = lr * ratio

    def put_back(self) -> None:
        """Put all back; an array that is read-only now is named at the end."""
        # First the schedules themselves: a stateful one then takes its old state.
        for group, lr in zip(self._opt.param_groups, self._rates, strict=True):
            group["lr"] = lr
        self._opt.load_state_dict(self._saved)
        for rng, state in self._rngs:
            _set_state(rng, state)
        np.random.set_state(self._global)  # noqa: NPY002
        random.setstate(self._python)
        for leaf, copied in self._params:
            if leaf.array.flags.writeable:
                leaf.array[...] = copied
        for leaf, _ in self._params:
            _check.writable("params" + leaf.path, leaf.array)


def _rngs(rng: Rng | Iterable[Rng] | None) -> list[Rng]:
    kinds = (np.random.Generator, np.random.RandomState, np.random.BitGenerator)
    given = [] if rng is None else [rng] if isinstance(rng, kinds) else rng
    listed = list(given) if isinstance(given, Iterable) else [given]
    for one in listed:
        if not isinstance(one, kinds):
            raise TypeError(
                "rng: expected a numpy.random.Generator, or several, found "
                f"{shown(one)}"
            )
    return listed


def _state_of(rng: Rng) -> Any:
    if isinstance(rng, np.random.RandomState):
        return rng.get_state(legacy=False)
    return _bits(rng).state


def _set_state(rng: Rng, state: Any) -> None:
    if isinstance(rng, np.random.RandomState):
        rng.set_state(state)
    else:
        _bits(rng).state = state


def _bits(rng: np.random.Generator | np.random.BitGenerator) -> Any:
    return rng.bit_generator if isinstance(rng, np.random.Generator) else rng


class _Batches:
    """The batches: from the beginning where they can be had anew."""

    def __init__(self, source: Any) -> None:
        self._source = source
        iterable = _is_iterable(source)
        if not iterable and not callable(source):
            raise TypeError(
                "batches: expected an iterable of batches, or a function that returns "
                f"one, found {shown(source)}"
            )
        self._function = None if iterable else source
        self._iterator: Iterator[Any] = iter(())
        self._any = False
        self._saved: Any = None

    def __enter__(self) -> Self:
        if _has_state(self._source):
            self._saved = copy.deepcopy(self._source.state_dict())
        return self

    def __exit__(self, *_: object) -> None:
        self._put_back()

    def _put_back(self) -> None:
        if self._saved is not None:  # a copy, as it may be changed in place
            self._source.load_state_dict(copy.deepcopy(self._saved))

    def begin(self) -> None:
        """Begin anew, or go on where the source is an iterator."""
        self._put_back()
        again = self._anew()
        self._any = self._any and again is self._iterator
        self._iterator = again

    def _anew(self) -> Iterator[Any]:
        made = self._function() if self._function else self._source
        if not _is_iterable(made):
            raise TypeError(
                f"batches: expected it to return an iterable, found {shown(made)}"
            )
        return iter(made)

    def next(self) -> Any:
        """Return the next batch, the first after the last; StopIteration: no more."""
        for batch in self._iterator:
            self._any = True
            return batch
        if not self._any:
            raise ValueError("batches: expected at least one batch, found none")
        again = self._anew()
        if again is self._iterator:
            raise StopIteration
        self._iterator, self._any = again, False
        return self.next()


def _is_iterable(source: Any) -> bool:
    """Whether `iter` takes it, which is not called: a loader may draw numbers then."""
    return isinstance(source, Iterable) or hasattr(type(source), "__getitem__")


def _has_state(source: Any) -> bool:
    return hasattr(source, "state_dict") and hasattr(source, "load_state_dict")
