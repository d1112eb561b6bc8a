"""Checks of the arrays that a user passes, with their messages.

Each function returns if all is well.  Otherwise it raises TypeError or ValueError with
the argument's name, the finding and the remedy, before anything has been written.  A
message is short whatever the user passed, and is made in linear time.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeGuard

import numpy as np

from lrcore._shared.foreign import (
    advice_for_dtype,
    advice_for_gradient,
    advice_for_param,
    in_its_place,
    is_negated,
    is_raw,
)
from lrcore._shared.trees import Place
from lrcore._shared.words import error, kind, shortened, shown

_FLOAT32, _FLOAT64 = np.dtype("float32"), np.dtype("float64")

_IN_PLACE: dict[str, Any] = (
    {"copy": False} if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else {}
)
"""What has DLPack refuse to copy; NumPy 2.0 cannot ask for it."""

Name = str | Place
"""The name of an array or a container in messages."""

Named = tuple[Name, np.ndarray]


def is_array(a: Any) -> TypeGuard[np.ndarray]:
    """Return whether an object is an array by its type, whatever ``__class__`` says."""
    return issubclass(type(a), np.ndarray)


def is_masked(a: Any) -> bool:
    """Return whether an object is a masked array.

    Only subclasses need `numpy.ma`, which takes a twentieth of a second to import.
    """
    if type(a) is np.ndarray or not is_array(a):
        return False
    return issubclass(type(a), np.ma.MaskedArray)


def bare(a: np.ndarray) -> np.ndarray:
    """Return an array of the same memory whose properties are NumPy's own.

    A subclass may override dtype, shape, flags, and what NumPy's functions do with it.
    """
    return a if type(a) is np.ndarray else np.ndarray.view(a, np.ndarray)


def viewed(g: Any) -> Any:
    """Return an array of the memory of an object with DLPack or a buffer of numbers.

    Anything else, such as raw bytes, or memory of a GPU, is returned as it is.
    """
    return viewed_or_why_not(g)[0]


def viewed_or_why_not(g: Any) -> tuple[Any, Exception | None]:
    """Return the array of `viewed`, and the error of the object's library, or None."""
    if is_array(g) or isinstance(g, np.generic):
        return g, None
    try:
        if hasattr(type(g), "__dlpack__"):
            return g if is_negated(g) else np.from_dlpack(g, **_IN_PLACE), None
        view = memoryview(g)
        return g if is_raw(view) else np.asarray(view), None
    except (BufferError, TypeError, ValueError, RuntimeError) as why:
        return g, why


def readable(
    name: Name, a: Any, *, like: np.dtype[Any] = _FLOAT32, keep: bool = False
) -> None:
    """Check for an array that a kernel can read.

    like: the dtype to advise; keep: whether the array is a parameter, so that the user
    has to keep a converted one.
    """
    if a is None:
        how = "pass the array that is to be updated" if keep else "pass the gradient"
        raise error(TypeError, name, f"expected a numpy.ndarray, found None; {how}")
    if is_masked(a):
        raise error(TypeError, name, "found a masked array; fill it first: .filled(0)")
    if not is_array(a):
        wanted = "a numpy.ndarray"
        if keep and isinstance(name, Place):
            wanted += ", or a list, tuple or dict of them"
        advice = advice_for_param(name, a) if keep else advice_for_gradient(a, like)
        raise error(TypeError, name, f"expected {wanted}, found {kind(a)}{advice}")
    a = bare(a)
    if a.dtype == object and keep:
        raise error(
            TypeError,
            name,
            "expected dtype float32 or float64, found an array of objects; pass "
            "list(...) of its arrays",
        )
    if a.dtype != _FLOAT32 and a.dtype != _FLOAT64:
        found = shortened(a.dtype.name)
        order = "" if a.dtype.isnative else " in foreign byte order"
        raise error(
            TypeError,
            name,
            f"expected dtype float32 or float64, found {found}{order}"
            + advice_for_dtype(name, a.dtype, like, keep=keep),
        )
    if not (a.flags.c_contiguous or a.flags.f_contiguous):
        raise error(
            ValueError,
            name,
            f"found a non-contiguous array with strides {shown(a.strides)}; "
            + _mend(name, keep, "numpy.ascontiguousarray({})"),
        )
    if not a.flags.aligned:
        raise error(ValueError, name, "found a misaligned array; " + _mend(name, keep))


def writable(name: Name, a: Any, *, keep: bool = False) -> None:
    """Check for an array that a step can update.

    keep: whether it is passed as a parameter; or else it is one since construction.
    """
    readable(name, a, keep=keep)
    if not bare(a).flags.writeable:
        what = "found a read-only array, which a step could not update; "
        again = "make it writable again: .setflags(write=True)"
        raise error(ValueError, name, what + (_mend(name, keep) if keep else again))


def _mend(name: Name, keep: bool, how: str = "{}.copy()") -> str:
    """Advise a conversion; the user has to keep a converted parameter."""
    return in_its_place(name, how) if keep else f"pass {how.format('...')}"


def matches(name: Name, a: Any, of: Name, p: np.ndarray) -> None:
    """Refuse an array of another type, shape or memory order than the parameter `p`."""
    p = bare(p)
    readable(name, a, like=p.dtype)
    a = bare(a)
    if a.dtype != p.dtype:
        raise error(
            TypeError,
            name,
            f"expected dtype {p.dtype} as {of} has, found {a.dtype}; "
            f"pass ....astype(numpy.{p.dtype})",
        )
    if a.shape != p.shape:
        turned = ", the shape of its transpose" if a.T.shape == p.shape else ""
        raise error(
            ValueError,
            name,
            f"expected shape {shown(p.shape)} as {of} has, "
            f"found {shown(a.shape)}{turned}",
        )
    order, other = ("C", "F") if p.flags.c_contiguous else ("F", "C")
    if not a.flags[f"{order}_CONTIGUOUS"]:
        raise error(
            ValueError,
            name,
            f"expected memory order {order} as {of} has, found {other} "
            f'(a transposed view?); pass numpy.asarray(..., order="{order}")',
        )


def convertible(g: Any, p: np.ndarray) -> bool:
    """Return whether `convert_grads` converts a gradient: one of floats or integers."""
    if is_array(g):
        if is_masked(g):
            return False
        g = bare(g)
    elif not issubclass(type(g), np.generic):
        return False
    return g.dtype.kind in "iuf" and g.shape == bare(p).shape


def state(name: Name, value: Any, own: np.ndarray) -> None:
    """Check a saved state array against the optimizer's: type and shape, not layout."""
    if not is_array(value) or is_masked(value):
        raise error(TypeError, name, f"expected a numpy.ndarray, found {kind(value)}")
    value, own = bare(value), bare(own)
    if value.dtype != own.dtype:
        found = shortened(str(value.dtype))
        raise error(TypeError, name, f"expected dtype {own.dtype}, found {found}")
    if value.shape != own.shape:
        wanted, found = shown(own.shape), shown(value.shape)
        raise error(ValueError, name, f"expected shape {wanted}, found {found}")


def units(
    name: Name, p: np.ndarray, axes: Sequence[int] | None
) -> tuple[int, int, int] | None:
    """Return (outer, reduced, inner) in memory order of norms over axes of an array.

    Axes that the array lacks are left out.  None: `axes` is None.
    """
    if axes is None:
        return None
    if p.ndim < 2:
        return 1, p.size, 1
    own = sorted(a % p.ndim for a in axes if -p.ndim <= a < p.ndim)
    if not own:
        raise ValueError(
            f"agc_axis: expected axes of {shortened(str(name))}, which has {p.ndim}, "
            f"found {shown(axes)}"
        )
    if own != [*range(own[0], own[-1] + 1)]:
        raise ValueError(
            f"agc_axis: expected neighbouring axes of {shortened(str(name))}, "
            f"each once, found {shown(axes)}"
        )
    shape, first, last = p.shape, own[0], own[-1] + 1
    if not p.flags.c_contiguous:
        shape, first, last = shape[::-1], p.ndim - last, p.ndim - first
    return prod(shape[:first]), prod(shape[first:last]), prod(shape[last:])
