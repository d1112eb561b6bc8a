"""What to pass in place of what is no NumPy array or no optimizer of lrcore.

The libraries are known by the module of an object's type; none of them is imported.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Mapping
from dataclasses import is_dataclass
from numbers import Number
from typing import Any

import numpy as np

from lrcore._shared.trees import Leaf, Place
from lrcore._shared.words import kind, shown

_COPY = "p = numpy.array(..., numpy.float32)"


def advice_for_param(name: str | Place, found: Any) -> str:
    """Return what to do about a param that is no array: "; ...", or ""."""
    library = kind(found).partition(".")[0]
    if hasattr(type(found), "named_parameters"):  # a module of torch
        return (
            "; pass {name: p.detach().numpy() for name, p in "
            "module.named_parameters()}: these arrays share the memory of the module's "
            "parameters"
        )
    if known := _LIBRARIES.get(library):
        return f"; {known}"
    if isinstance(found, (Number, list, tuple)):
        if _in_a_group(name):
            return (
                "; a group has its arrays under the key 'params': "
                "[{'params': ..., 'lr': 0.1}]"
            )
        return f"; make one array of all numbers, keep it and pass it: {_COPY}"
    if (is_dataclass(found) and not isinstance(found, type)) or _has_arrays(found):
        as_vars = ", as vars(...)" if hasattr(found, "__dict__") else ""
        return f"; pass a dict of its arrays{as_vars}"
    if hasattr(type(found), "__array__"):
        return f"; make a copy as an array, keep it and pass it: {_COPY}"
    if isinstance(found, (Mapping, ItemsView)):
        return "; pass dict(...), with the same arrays"
    if _shares_memory(found):
        return "; pass numpy.asarray(...), which shares its memory"
    if isinstance(found, Iterable) and not isinstance(found, (str, bytes)):
        return "; pass list(...) of its arrays"
    return ""


def advice_for_gradient(found: Any, like: np.dtype[Any]) -> str:
    """Return what to do about a gradient that is no array: "; ...", or ""."""
    library = kind(found).partition(".")[0]
    if library == "torch":
        resolved = ".resolve_neg()" if is_negated(found) else ""
        return f"; pass ....detach(){resolved}.cpu().numpy()"
    if hasattr(type(found), "is_deleted") and found.is_deleted():  # by JAX
        return (
            ", which has been deleted, as by a function with donate_argnums; pass "
            "one that has not"
        )
    if library == "cupy":
        return "; pass cupy.asnumpy(...)"
    if _is_raw(found):
        return (
            f"; pass numpy.frombuffer(..., numpy.{like}), with .reshape(p.shape) for a "
            "matrix p"
        )
    converts = isinstance(found, (Number, list, tuple)) or library in _LIBRARIES
    if converts or hasattr(type(found), "__array__") or _shares_memory(found):
        return f"; pass numpy.asarray(..., numpy.{like})"
    return ""


def advice_for_dtype(
    name: str | Place, found: np.dtype[Any], like: np.dtype[Any], *, keep: bool
) -> str:
    """Return what to do about an array of another dtype: "; ...", or "".

    like: the dtype to advise for numbers; keep: whether the array is a parameter.
    """
    if found.kind == "c":
        parts = f"numpy.{'float32' if found.itemsize == 8 else 'float64'}"
        if keep:
            return (
                f"; pass ....view({parts}), the real and imaginary parts in the same "
                "memory"
            )
        return (
            f"; pass ....view({parts}) if the params are this view of complex numbers, "
            "or ....real.copy()"
        )
    if found.names is not None:
        how = "pass a dict with an array of its own for each field"
        return f"; {how}: {{name: numpy.ascontiguousarray(a[name]) ...}}"
    if found.kind not in "biuf":
        return ""
    if not keep:
        return f"; pass ....astype(numpy.{like})"
    wide = found.kind == "f" and found.itemsize >= 8
    how = f"{{}}.astype(numpy.{'float64' if wide else like})"
    return f"; {in_its_place(name, how)}"


def no_optimizer(found: object, expected: str = "an optimizer of lrcore") -> TypeError:
    """Return the error of an argument `opt` that is no optimizer."""
    what = kind(found)
    if what.startswith("lrcore.torch."):
        return TypeError(
            f"opt: expected {expected}, found {what}; pass opt.core, which steps the "
            "same memory"
        )
    return TypeError(f"opt: expected {expected}, found {shown(found)}")


_IMMUTABLE = (
    "its arrays cannot be updated in place: keep p = numpy.array(...), pass p, and "
    "after each step give "
)

_LIBRARIES = {
    "torch": "pass ....detach().numpy(), which shares the tensor's memory (of the CPU)",
    "jax": f"{_IMMUTABLE}jax.numpy.asarray(p.copy()) to JAX",
    "jaxlib": f"{_IMMUTABLE}jax.numpy.asarray(p.copy()) to JAX",
    "tensorflow": f"{_IMMUTABLE}p to the variable: .assign(p)",
    "pandas": "keep p = ....to_numpy(numpy.float64, copy=True), pass p, and after the "
    "steps put it back: ...[:] = p",
    "cupy": "lrcore steps arrays in the CPU's memory: keep p = cupy.asnumpy(...), pass "
    "p, and after each step give cupy.asarray(p) to CuPy",
}


def _in_a_group(name: str | Place) -> bool:
    """Return whether a name is that of an entry of a group, as far as one can tell.

    A group is a dict in the list of params, or params with the key "params".
    """
    above = name.of.above if isinstance(name, Place) else None
    if above is None or not isinstance(above.container, dict):
        return False
    if above.above is None:
        return "params" in above.container
    listed = isinstance(above.above.container, (list, tuple))
    return listed and above.above.above is None


def is_raw(view: memoryview) -> bool:
    """Return whether a buffer is of bytes, not of numbers."""
    return view.format.lstrip("@=<>!") in ("B", "b", "c")


def is_negated(found: Any) -> bool:
    """Return whether a tensor of torch has its numbers in memory with opposite signs.

    Then DLPack would give them as they are in memory.
    """
    return hasattr(type(found), "is_neg") and bool(found.is_neg())


def _view(found: Any) -> memoryview | None:
    """Return the buffer of an object; None if it has none, or is a text."""
    try:
        return None if isinstance(found, bytes) else memoryview(found)
    except Exception:  # theirs: JAX's, for bfloat16
        return None


def _is_raw(found: Any) -> bool:
    view = _view(found)
    return view is not None and is_raw(view)


def _shares_memory(found: Any) -> bool:
    """Return whether NumPy can make an array of an object's buffer of numbers."""
    view = _view(found)
    return view is not None and not is_raw(view)


def _has_arrays(found: Any) -> bool:
    """Return whether an object of the user's own class has arrays as attributes."""
    own = {} if isinstance(found, type) else getattr(found, "__dict__", {})
    return any(isinstance(value, np.ndarray) for value in own.values())


def in_its_place(name: str | Place, how: str) -> str:
    """Advise a conversion of a param, so that the user's own object is the new one.

    how : the conversion, with ``{}`` for the array.
    """
    if isinstance(name, Place) and isinstance(name.of, Leaf) and name.of.above:
        inside = isinstance(name.of.above.container, (dict, list))
        whole = str(name)
        if inside and len(whole) <= _LONGEST:
            return f"convert it in its place: {whole} = {how.format(whole)}"
    return f"convert it once, keep the result and pass it: p = {how.format('p')}"


_LONGEST = 60
"""Characters of a name that a line of code in a message repeats."""
