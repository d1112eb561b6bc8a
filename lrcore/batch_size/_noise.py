"""The noise of the gradient, measured during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isclose, isfinite, nan
from typing import Any, ClassVar

import numpy as np

from lrcore._shared import containers
from lrcore._shared.domains import FINITE, FRACTION, FROM_ZERO, POSITIVE, real
from lrcore._shared.sums import in_order
from lrcore._shared.types import Array
from lrcore._shared.words import listed, shown
from lrcore._stateful import Check, Stateful, counted
from lrcore.training.clip import global_norm


class GradientNoiseScale(Stateful):
    """Estimates the gradient's noise scale, which is about the critical batch size.

    ::

        |G|^2 = (B |g_B|^2 - b |g_b|^2) / (B - b)
        trace = (|g_b|^2 - |g_B|^2) / (1/b - 1/B)
        noise_scale = mean of trace / mean of |G|^2

    with gradients g_b and g_B, means over b and B examples.  ``|G|^2`` is the squared
    norm of the true gradient, and `trace` the trace of the covariance of one example's
    gradient.  Both estimates are unbiased; their ratio is not, so each is averaged by
    itself, and the ratio is taken last.

    If a batch consists of micro-batches, both norms are known: those of the gradients
    of the micro-batches, and that of their mean, which the optimizer uses.  With
    `accumulate` and `telemetry`, no more than the micro-batches' norms is measured
    (``gather``).

    Parameters
    ----------
    small_batch_size, big_batch_size : float
        Numbers of examples b and B of the two gradients, 0 < b < B.
    decay : float or None
        Decay of the exponential averages, in [0, 1), which forget old estimates as the
        noise scale grows in training; they are debiased.  None: plain means.  Default
        0.99.

    Attributes
    ----------
    noise_scale : float
        The noise scale, in examples.  Batches far smaller need the fewest examples,
        batches far larger the fewest steps (:func:`tradeoff`).  It is infinite if the
        estimate of |G|^2 is not positive (the gradient is lost in the noise), 0 if the
        estimate of `trace` is not positive (there is no noise), and NaN if neither is,
        as before the first update.
    grad_norm2 : float
        The estimate of |G|^2, which may be negative; NaN before the first update.
    trace : float
        The estimate of the trace, which may be negative; NaN before the first update.
    updates : int
        Number of pairs of norms in the estimates.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.

    References
    ----------
    McCandlish et al. 2018, "An empirical model of large-batch training", appendix A.1.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> noise = lrcore.GradientNoiseScale(small_batch_size=8, big_batch_size=16)
    >>> noise.update_from([np.array([4.0, 3.0]), np.array([4.0, -3.0])])
    True
    >>> noise.grad_norm2, noise.trace, round(noise.noise_scale, 2)
    (7.0, 144.0, 20.57)
    """

    __slots__ = (
        "_calls",
        "_grad_norm2",
        "_small_norm2",
        "_trace",
        "big_batch_size",
        "decay",
        "small_batch_size",
        "updates",
    )

    _config = ("small_batch_size", "big_batch_size", "decay")
    _changing: ClassVar[Mapping[str, Check]] = {
        "_grad_norm2": FINITE.check,
        "_trace": FINITE.check,
        "updates": counted,
        "_calls": counted,
        "_small_norm2": FROM_ZERO.check,
    }
    _later = frozenset({"calls", "small_norm2"})

    def __init__(
        self,
        small_batch_size: float,
        big_batch_size: float,
        decay: float | None = 0.99,
    ) -> None:
        self.small_batch_size = POSITIVE.check("small_batch_size", small_batch_size)
        self.big_batch_size = POSITIVE.check("big_batch_size", big_batch_size)
        if self.big_batch_size <= self.small_batch_size:
            raise ValueError(
                "big_batch_size: expected more than small_batch_size = "
                f"{self.small_batch_size:g}, found {shown(big_batch_size)}"
            )
        self.decay = FRACTION.or_none().check("decay", decay)
        self._begin()

    def reset(self) -> None:
        """Forget all updates."""
        new = self._copy()
        new._begin()
        self._become(new)

    def _begin(self) -> None:
        self._grad_norm2 = 0.0
        self._trace = 0.0
        self.updates = 0
        self._calls = 0
        self._small_norm2 = 0.0

    def update(self, small_norm2: float, big_norm2: float) -> bool:
        """Add a pair of squared norms to the estimates.

        Parameters
        ----------
        small_norm2 : float
            ``|g_b|^2``, >= 0; for several micro-batches, the mean of their squares.
        big_norm2 : float
            ``|g_B|^2``, >= 0.

        Returns
        -------
        bool
            False if an estimate is not finite; nothing was changed then.

        Raises
        ------
        TypeError, ValueError
            A norm is no number, or negative.
        """
        small = _norm("small_norm2", small_norm2)
        big = _norm("big_norm2", big_norm2)
        return self._update(small, big, self.big_batch_size)

    def _update(self, small: float, big: float, wide: float) -> bool:
        """Add a pair of squared norms; wide: the examples of the second."""
        b = self.small_batch_size
        grad_norm2 = (wide * big - b * small) / (wide - b)
        trace = (small - big) / (1 / b - 1 / wide)
        if not (isfinite(grad_norm2) and isfinite(trace)):
            return False
        new = self._copy()
        new.updates += 1
        weight = 1 / new.updates
        if self.decay is not None:  # debiased: the weights add up to 1
            weight = (1 - self.decay) / (1 - self.decay**new.updates)
        new._grad_norm2 += weight * (grad_norm2 - self._grad_norm2)
        new._trace += weight * (trace - self._trace)
        self._become(new)
        return True

    def gather(self, grads: Any) -> None:
        """Add the gradient of one micro-batch of the batch to come.

        Parameters
        ----------
        grads : ndarray, or nested list / tuple / dict of ndarray
            The gradient of `small_batch_size` examples.

        Raises
        ------
        TypeError, ValueError
            An array cannot be used.

        Examples
        --------
        >>> p = np.zeros(2)
        >>> opt = lrcore.SGD(p, accumulate=2, telemetry=True)
        >>> noise = lrcore.GradientNoiseScale(8, 16)
        >>> for g in (np.array([4.0, 3.0]), np.array([4.0, -3.0])):
        ...     noise.gather(g)
        ...     if opt.step(g):
        ...         noise.update_gathered(opt.report.grad_norm)
        True
        >>> round(noise.noise_scale, 2)
        20.57
        """
        norm = global_norm(grads)
        new = self._copy()
        new._calls += 1
        new._small_norm2 += norm * norm
        self._become(new)

    def update_gathered(self, norm: float) -> bool:
        """Add the gathered micro-batches to the estimates, and gather anew.

        The batch has as many examples as they have: `big_batch_size`, or less after
        ``opt.flush()``.

        Parameters
        ----------
        norm : float
            The norm of the mean of the gathered gradients, >= 0:
            ``opt.report.grad_norm``, over `grad_scale` if the optimizer has one.

        Returns
        -------
        bool
            False if less than two gradients were gathered, or an estimate is not
            finite; the estimates have not changed then.

        Raises
        ------
        TypeError, ValueError
            The norm is no number, or negative.  Nothing has been changed then.
        """
        norm = _norm("norm", norm)
        new, calls = self._copy(), self._calls
        new._calls, new._small_norm2 = 0, 0.0
        updated = calls > 1 and new._update(
            self._small_norm2 / calls, norm * norm, calls * self.small_batch_size
        )
        self._become(new)
        return updated

    def update_from(self, grads: Sequence[Any], mean: Any = None) -> bool:
        """Add the gradients of the micro-batches of one batch to the estimates.

        Parameters
        ----------
        grads : list of (ndarray, or nested list / tuple / dict of ndarray)
            Gradients of `small_batch_size` examples each, which together have
            `big_batch_size` examples; all of the same structure.
        mean : of the same structure, or None
            Their mean, if you have it.  Default None: it is computed.

        Returns
        -------
        bool
            As for ``update``.

        Raises
        ------
        TypeError, ValueError
            There are too many or too few gradients, their shapes differ, or an array
            cannot be used.

        Examples
        --------
        >>> noise = lrcore.GradientNoiseScale(1, 2, decay=None)
        >>> noise.update_from([{"w": np.ones(2)}, {"w": np.ones(2)}])
        True
        >>> noise.noise_scale
        0.0
        """
        count = self._micro_batches()
        if not isinstance(grads, (list, tuple)) or len(grads) != count:
            found = len(grads) if isinstance(grads, (list, tuple)) else shown(grads)
            raise ValueError(
                f"grads: expected a list of {count} gradients of "
                f"{self.small_batch_size:g} examples, found {found}"
            )
        arrays = [containers.gradients(g, f"grads[{i}]") for i, g in enumerate(grads)]
        for i, own in enumerate(arrays):
            _check_shapes(f"grads[{i}]", own, arrays[0])
        whole = _mean(arrays) if mean is None else containers.gradients(mean, "mean")
        _check_shapes("mean", whole, arrays[0])
        big = global_norm(whole)
        small_norm2 = in_order(global_norm(each) ** 2 for each in arrays) / count
        return self.update(small_norm2, big**2)

    def _micro_batches(self) -> int:
        """Return how many small batches make a big one, or refuse if they do not."""
        count: int = round(self.big_batch_size / self.small_batch_size)
        if not isclose(count * self.small_batch_size, self.big_batch_size):
            raise ValueError(
                f"small_batch_size: expected a divisor of {self.big_batch_size:g} for "
                f"micro-batches, found {self.small_batch_size:g}"
            )
        return count

    @property
    def grad_norm2(self) -> float:
        """The estimate of the true gradient's squared norm."""
        return self._grad_norm2 if self.updates else nan

    @property
    def trace(self) -> float:
        """The estimate of the trace of the covariance."""
        return self._trace if self.updates else nan

    @property
    def noise_scale(self) -> float:
        """The estimate of the critical batch size."""
        if self._grad_norm2 > 0:
            return max(self._trace / self._grad_norm2, 0.0)
        return inf if self._trace > 0 else nan

    def __repr__(self) -> str:
        return (
            f"<GradientNoiseScale {self.noise_scale:g} from {self.updates} pairs of "
            f"{self.small_batch_size:g} and {self.big_batch_size:g}>"
        )


def _norm(name: str, value: Any) -> float:
    """Return a norm, or its square; NaN and inf are no errors: `_update` skips them."""
    norm = real(name, value, "a number >= 0")
    if norm < 0:
        raise ValueError(f"{name}: expected a number >= 0, found {shown(value)}")
    return norm


def _check_shapes(name: str, found: list[Array], first: list[Array]) -> None:
    """Refuse arrays that do not have the shapes of those of the first gradient."""
    shapes, wanted = [a.shape for a in found], [a.shape for a in first]
    if shapes != wanted:
        raise ValueError(
            f"{name}: expected arrays of shapes [{listed(wanted)}], as grads[0] has, "
            f"found [{listed(shapes)}]"
        )


def _mean(arrays: Sequence[Sequence[Array]]) -> list[Array]:
    """Return the mean of several lists of arrays, in float64."""
    means = []
    for alike in zip(*arrays, strict=True):
        total = np.zeros(alike[0].shape)
        for a in alike:
            total += a
        means.append(total / len(alike))
    return means
