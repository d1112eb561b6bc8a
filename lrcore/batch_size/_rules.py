"""Formulas for the learning rate and the cost of another batch size."""

from __future__ import annotations

from math import sqrt
from typing import Literal, NamedTuple

from lrcore._shared.domains import (
    FRACTION,
    FROM_ZERO,
    NONNEGATIVE,
    POSITIVE,
    choice,
)
from lrcore._shared.words import shown

_RULES = choice("linear", "sqrt")


def _ratio(batch_size: float, base_batch_size: float) -> float:
    size = POSITIVE.check("batch_size", batch_size)
    return float(size / POSITIVE.check("base_batch_size", base_batch_size))


def scale_lr(
    lr: float,
    batch_size: float,
    base_batch_size: float,
    rule: Literal["linear", "sqrt"] = "linear",
) -> float:
    """Return the learning rate for another batch size.

    ::

        linear:  lr (batch_size / base_batch_size)
        sqrt:    lr sqrt(batch_size / base_batch_size)

    The linear rule is for SGD below the critical batch size, which
    :class:`GradientNoiseScale` estimates.  The square root keeps the variance of a
    step's noise; it is for adaptive optimizers, whose other hyper-parameters change,
    too (:func:`scale_adam`).  Multiply a schedule by ``scale_lr(1.0, ...)``.

    Parameters
    ----------
    lr : float
        The rate for `base_batch_size`, >= 0.
    batch_size, base_batch_size : float
        Examples a step, > 0.
    rule : {"linear", "sqrt"}
        Default "linear".

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.

    References
    ----------
    Linear: Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.1.  Square
    root: Krizhevsky 2014, "One weird trick for parallelizing convolutional neural
    networks"; Hoffer et al. 2017, "Train longer, generalize better".

    Examples
    --------
    >>> import lrcore
    >>> lrcore.scale_lr(0.1, 1024, 256), lrcore.scale_lr(0.1, 1024, 256, rule="sqrt")
    (0.4, 0.2)
    """
    rate = NONNEGATIVE.check("lr", lr)
    ratio = _ratio(batch_size, base_batch_size)
    linear = _RULES.check("rule", rule) == "linear"
    return float(rate * (ratio if linear else sqrt(ratio)))


class AdamNumbers(NamedTuple):
    """Hyper-parameters of Adam; ``_asdict()`` gives them as keywords."""

    lr: float
    betas: tuple[float, float]
    eps: float


def scale_adam(
    batch_size: float,
    base_batch_size: float,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> AdamNumbers:
    """Return Adam's hyper-parameters for another batch size, by the square-root rule.

    ::

        k = batch_size / base_batch_size
        lr' = sqrt(k) lr;   beta' = 1 - k (1 - beta);   eps' = eps / sqrt(k)

    With these, the steps approximate the same stochastic differential equation, as long
    as noise dominates the gradient and k (1 - beta) is small.

    Parameters
    ----------
    batch_size, base_batch_size : float
        Examples a step, > 0.
    lr, betas, eps : float, tuple of float, float
        Hyper-parameters for `base_batch_size`.  Defaults are those of ``Adam``.

    Returns
    -------
    AdamNumbers
        A named tuple of lr, betas and eps.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain, or a beta would be below 0.

    References
    ----------
    Malladi et al. 2022, "On the SDEs and scaling rules for adaptive gradient
    algorithms", section 5.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> numbers = lrcore.batch_size.scale_adam(1024, 256)
    >>> numbers.lr, round(numbers.betas[0], 3), round(numbers.betas[1], 3), numbers.eps
    (0.002, 0.6, 0.996, 5e-09)
    >>> opt = lrcore.Adam(np.zeros(3), **numbers._asdict())
    """
    k = _ratio(batch_size, base_batch_size)
    rate, small = NONNEGATIVE.check("lr", lr), NONNEGATIVE.check("eps", eps)
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise TypeError(f"betas: expected 2 numbers, found {shown(betas)}")
    scaled = []
    for i, value in enumerate(betas):
        beta = 1 - k * (1 - FRACTION.check(f"betas[{i}]", value))
        if beta < 0:
            raise ValueError(
                f"betas[{i}]: expected at least {1 - 1 / k:g} at {k:g} times the batch "
                f"size, found {shown(value)}; the rule would make it {beta:g}"
            )
        scaled.append(beta)
    return AdamNumbers(sqrt(k) * rate, (scaled[0], scaled[1]), small / sqrt(k))


def optimal_lr(max_lr: float, batch_size: float, noise_scale: float) -> float:
    """Return SGD's best rate at a batch size, given the best rate without noise.

    ::

        max_lr / (1 + noise_scale / batch_size)

    It grows linearly while batches are small, and hardly grows above the noise scale.

    Parameters
    ----------
    max_lr : float
        The best rate for the gradient of all data, >= 0.
    batch_size : float
        Examples a step, > 0.
    noise_scale : float
        In examples, >= 0; an infinite one gives a rate of 0.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.

    References
    ----------
    McCandlish et al. 2018, "An empirical model of large-batch training", eq. 2.6.

    Examples
    --------
    >>> lrcore.batch_size.optimal_lr(0.5, batch_size=100, noise_scale=400)
    0.1
    """
    rate = NONNEGATIVE.check("max_lr", max_lr)
    size = POSITIVE.check("batch_size", batch_size)
    return float(rate / (1 + FROM_ZERO.check("noise_scale", noise_scale) / size))


class Tradeoff(NamedTuple):
    """The cost of a batch size: steps and examples, in multiples of the fewest."""

    steps: float
    examples: float


def tradeoff(batch_size: float, noise_scale: float) -> Tradeoff:
    """Return the steps and examples of a run, in multiples of the fewest possible.

    ::

        steps = 1 + noise_scale / batch_size;   examples = 1 + batch_size / noise_scale

    so that ``(steps - 1) (examples - 1) = 1``.  Both are 2 at the critical batch size,
    which the noise scale estimates.

    Parameters
    ----------
    batch_size : float
        Examples a step, > 0.
    noise_scale : float
        In examples, > 0.

    Returns
    -------
    Tradeoff
        A named tuple of steps and examples, each >= 1.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.

    References
    ----------
    McCandlish et al. 2018, "An empirical model of large-batch training", eq. 2.11 and
    2.12.

    Examples
    --------
    >>> lrcore.batch_size.tradeoff(batch_size=100, noise_scale=400)
    Tradeoff(steps=5.0, examples=1.25)
    """
    size = POSITIVE.check("batch_size", batch_size)
    noise = POSITIVE.check("noise_scale", noise_scale)
    return Tradeoff(1 + noise / size, 1 + size / noise)
