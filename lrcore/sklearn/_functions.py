"""The activations of scikit-learn's networks, their slopes, and the losses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit, xlogy

from lrcore._shared.types import Array


def _identity(z: Array) -> None:
    pass


def _relu(z: Array) -> None:
    np.maximum(z, 0, out=z)


def _softmax(z: Array) -> None:
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)


ACTIVATIONS: dict[str, Callable[[Array], object]] = {
    "identity": _identity,
    "exp": lambda z: np.exp(z, out=z),
    "logistic": lambda z: expit(z, out=z),
    "relu": _relu,
    "softmax": _softmax,
    "tanh": lambda z: np.tanh(z, out=z),
}
"""``z = f(z)``, in place."""


def _logistic_slope(a: Array, delta: Array) -> None:
    delta *= a
    delta *= np.subtract(1, a, out=a)


def _tanh_slope(a: Array, delta: Array) -> None:
    np.square(a, out=a)
    delta *= np.subtract(1, a, out=a)


def _relu_slope(a: Array, delta: Array) -> None:
    delta *= a > 0


SLOPES: dict[str, Callable[[Array, Array], None]] = {
    "identity": lambda a, delta: None,
    "logistic": _logistic_slope,
    "relu": _relu_slope,
    "tanh": _tanh_slope,
}
"""``delta *= f'(z)`` for a hidden layer's ``a = f(z)``; a is overwritten."""


def _row_sums(a: Array, factor: Array | None = None) -> Array:
    """Return the sum of each row of a, or of a times a factor of its shape."""
    sums: Array
    sums = a.sum(axis=1) if factor is None else np.einsum("ij,ij->i", a, factor)
    return sums


def _log(p: Array) -> Array:
    """Return the logarithm of probabilities, of which none counts as 0 or 1."""
    eps = np.finfo(p.dtype).eps
    log: Array = np.log(np.minimum(np.maximum(p, eps), 1 - eps))
    return log


def _log_loss(y: Array, p: Array) -> Array:
    return -_log(_row_sums(y, p))  # the probability of the sample's class


def _binary_log_loss(y: Array, p: Array) -> Array:
    return -_row_sums(_log(np.abs(1 - y - p)))


def _half_squared_error(y: Array, found: Array) -> Array:
    error = found - y
    return _row_sums(error, (0.5 / y.shape[1]) * error)


def _half_poisson_deviance(y: Array, found: Array) -> Array:
    return _row_sums(xlogy(y, y / found) - y + found)


LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "log_loss": _log_loss,
    "binary_log_loss": _binary_log_loss,
    "squared_error": _half_squared_error,
    "poisson": _half_poisson_deviance,
}
"""The loss of each sample, from y and what the network has found, (n, outputs) each."""
