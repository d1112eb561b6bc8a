"""The loop of `lr_find`, which takes the steps of a range test."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from math import inf, isfinite
from typing import Any

from lrcore._shared.words import shortened
from lrcore.finder._batches import Batches
from lrcore.finder._score import Score
from lrcore.finder._sweep import LRSweep, scalar
from lrcore.optimizers.base.optimizer import Optimizer

LossAndGrad = Callable[[Any], tuple[Any, Any]]


def take_steps(
    opt: Optimizer,
    sweep: LRSweep,
    source: Batches,
    loss_and_grad: LossAndGrad,
    score: Score | None,
) -> None:
    """Take the steps of a range test, until it ends or there are no more batches.

    A step takes as many batches as the optimizer gathers the gradients of.  Where one
    of their losses is not finite, the rest are left out.
    """
    kept, bar = sweep._block(), sweep._bar
    step, told, sign, later = opt.step, _takes_loss(opt.step), sweep._sign, False
    accumulate = opt.accumulate
    micro_batches = range(accumulate)  # made once: this loop is hot
    for turn in sweep._turns():
        source.drop(accumulate * turn.lowest)
        take, set_rate = turn.take, None if turn.constant else kept.varying()
        for at, lr in enumerate(turn.rates, turn.first):
            if set_rate is not None:
                set_rate(lr)
            first, added = accumulate * at, 0.0
            for k in micro_batches:
                try:
                    batch = source.at(first + k)
                except StopIteration:
                    sweep._search.cut = (
                        "the batches ended: hand in a list, or a function that returns "
                        "an iterator"
                    )
                    return
                loss, grads = _evaluated(loss_and_grad, batch, later)
                later = True
                added += loss
                if score is not None and not k:
                    score.ask(at, turn.sweeps)
                if not isfinite(loss):
                    added = loss
                    break
                if lr:  # at 0 only the loss is asked for
                    step(grads, sign * loss) if told else step(grads)
            loss = added / accumulate
            over = take(sign * (loss if score is None else score.instead(loss)))
            if bar is not None:
                bar.step()
            if over:
                break


def _takes_loss(step: Callable[..., bool]) -> bool:
    """Whether a step, which a subclass may have overridden, can be told the loss."""
    if getattr(step, "__func__", None) is Optimizer.step:
        return True
    try:
        signature(step).bind(None, 0.0)
    except TypeError:
        return False
    return True


def _evaluated(
    loss_and_grad: LossAndGrad, batch: Any, later: bool
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
    pair = isinstance(returned, (tuple, list))
    if not pair or len(returned) != 2:
        found = shortened(type(returned).__name__)
        raise TypeError(
            "loss_and_grad: expected it to return a pair, the loss and the gradients, "
            f"found {found}{f' of {len(returned)}' if pair else ''}"
        )
    loss, grads = returned
    return scalar(loss), grads
