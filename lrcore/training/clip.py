"""The global norm of gradients, and clipping in place.

Every optimizer can clip within its step (``clip_norm``, ``clip_value``), which saves a
pass over the gradients.  These functions are for loops that need the norm, or the
clipped gradients, before the step.
"""

from __future__ import annotations

from typing import Any

from lrcore import _core
from lrcore._shared import containers
from lrcore._shared.domains import NONNEGATIVE, POSITIVE


def global_norm(grads: Any) -> float:
    """Return the Euclidean norm of all elements of all arrays.

    Squares are added in float64 and in a fixed order: the result has the same bits for
    any number of threads, and is within a relative error of 1e-12, also if squares are
    out of float64's range.  It is infinite if an element is, and NaN if one is NaN.

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

    If the norm is not finite, nothing is scaled: check the returned norm.

    Parameters
    ----------
    grads : ndarray, or nested list / tuple / dict of ndarray
        As in :func:`global_norm`; the arrays are writable and share no memory.
    max_norm : float
        The largest norm, > 0.
    eps : float
        A number >= 0 that is added to the norm; torch's ``clip_grad_norm_`` has 1e-6.
        Default 0.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain, or an array cannot be used.  Nothing has been
        changed then.

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
    """Clip all elements in place to [-clip_value, clip_value]; NaN stays NaN.

    Parameters
    ----------
    grads : ndarray, or nested list / tuple / dict of ndarray
        As in :func:`clip_by_global_norm`.
    clip_value : float
        The largest absolute value of an element, > 0.

    Raises
    ------
    TypeError, ValueError
        As in :func:`clip_by_global_norm`.

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
