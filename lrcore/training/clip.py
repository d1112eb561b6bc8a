"""Norms and clipping of gradients by themselves, in place.

Every optimizer does the same within its step, in one pass less (``clip_norm``,
``clip_value``): these are for loops that look at gradients before they step.
"""

from __future__ import annotations

from typing import Any

from lrcore import _core
from lrcore._shared import containers
from lrcore._shared.domains import NONNEGATIVE, POSITIVE


def global_norm(grads: Any) -> float:
    """Return the Euclidean norm of all elements of all arrays.

    Squares are added in float64 and in a fixed order: the result is the same bits for
    any number of threads, and within 1e-12 of the exact one, also where squares are out
    of float64's range.  It is infinite where an element is, and NaN where one is NaN.

    Parameters
    ----------
    grads : ndarray, or nested list / tuple / dict of ndarray
        float32 or float64, C- or F-contiguous.  None counts as no array, here and in
        the functions below.

    Raises
    ------
    TypeError, ValueError
        An array cannot be used; the message names it.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> lrcore.global_norm({"W": np.full((2, 2), 2.0), "b": np.array([3.0])})
    5.0
    """
    return _core.clip(containers.gradients(grads, "grads"), write=False)


def clip_by_global_norm(grads: Any, max_norm: float, eps: float = 0.0) -> float:
    """Scale all arrays in place so that their global norm is at most max_norm.

    ::

        g = g min(1, max_norm / (norm + eps))

    A norm that is not finite scales nothing: look at what is returned.

    Parameters
    ----------
    grads : ndarray, or nested list / tuple / dict of ndarray
        As of :func:`global_norm`, and writable, sharing no memory.
    max_norm : float
        The largest norm, > 0.
    eps : float
        Added to the norm; torch's ``clip_grad_norm_`` has 1e-6.  Default 0.

    Returns
    -------
    float
        The norm before.

    References
    ----------
    Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural
    networks", Algorithm 1.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> g = np.array([3.0, 4.0])
    >>> lrcore.clip_by_global_norm(g, 1.0)
    5.0
    >>> g
    array([0.6, 0.8])
    """
    most = POSITIVE.check("max_norm", max_norm)
    added = NONNEGATIVE.check("eps", eps)
    arrays = containers.gradients(grads, "grads", writes=True)
    return _core.clip(arrays, write=True, clip_norm=most, eps=added)


def clip_by_value(grads: Any, clip_value: float) -> None:
    """Clip all elements in place to [-clip_value, clip_value]; a NaN stays one.

    Parameters
    ----------
    grads : ndarray, or nested list / tuple / dict of ndarray
        As of :func:`clip_by_global_norm`.
    clip_value : float
        The largest size of an element, > 0.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> g = np.array([-3.0, 0.5])
    >>> lrcore.clip_by_value(g, 1.0)
    >>> g
    array([-1. ,  0.5])
    """
    most = POSITIVE.check("clip_value", clip_value)
    arrays = containers.gradients(grads, "grads", writes=True)
    _core.clip(arrays, write=True, clip_value=most)


__all__ = ["clip_by_global_norm", "clip_by_value", "global_norm"]
