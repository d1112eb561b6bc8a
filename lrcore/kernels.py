"""The kernels as plain functions, for callers who keep the state themselves.

Each optimizer whose step is one kernel, with numbers that follow from its arguments,
has a function with its name in lower case.  (Adafactor, SM3 and Muon compute parts of
the step in Python, and optimizers that find their learning rate carry numbers from step
to step: these have no function.)  For example::

    adam(p, g, m, v, *, t, lr=1e-3, betas=(0.9, 0.999), ..., num_threads=None,
         denormals="flush")

Examples
--------
>>> import numpy as np
>>> from lrcore import kernels
>>> p, m, v = np.ones(2), np.zeros(2), np.zeros(2)
>>> for t in range(1, 4):
...     kernels.adam(p, 2 * p, m, v, t=t, lr=0.1)
>>> p.round(4)
array([0.7016, 0.7016])
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature
from textwrap import fill, indent
from typing import Any, Protocol

import numpy as np

from lrcore import _core, optimizers
from lrcore._shared.domains import whole
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.optimizers.base.common import Common, Terms
from lrcore.optimizers.base.keywords import Hyper, known
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.options import check_denormals, check_num_threads
from lrcore.optimizers.base.part import Part
from lrcore.optimizers.base.values import scheduled

_DOC = """Take one step of {name} in place, on your own arrays.

Parameters
----------
p : ndarray
    Parameters, float32 or float64, C- or F-contiguous, writable: updated.
g : ndarray
    Gradients, of p's dtype, shape and memory order.
*states : ndarray
{states}
t : int
    The number of this step, counted from 1.
num_threads, denormals, and hyper-parameters
    As in :class:`lrcore.{name}`, which has the equation; numbers only, no schedules.

Raises
------
TypeError, ValueError
    An argument cannot be used; the message names it, and nothing has been written.

Examples
--------
>>> p, g = np.ones(3), np.ones(3)
{example}
"""


class Kernel(Protocol):
    """The type of these functions."""

    def __call__(
        self,
        p: Array,
        g: Array,
        /,
        *states: Array,
        t: int,
        num_threads: int | None = None,
        denormals: str = "flush",
        **hyper: Any,
    ) -> None:
        """Update p and the states in place."""


def _make(kind: type[Optimizer]) -> Kernel:
    """Return the function of an optimizer."""
    name = kind.__name__.lower()
    fields, defaults = kind._fields, kind._defaults()
    untaken = Common._fields.keys() - Terms._fields.keys()
    taken = [k for k in defaults if k not in untaken and not fields[k].initial]

    def part_for(given: Hyper) -> tuple[Hyper | None, Part]:
        """Return the keywords, for comparison with the next call's, and their part."""
        own = dict(given)
        preset = kind._preset(own.pop("convention", "torch"), {**defaults, **own})
        known(name, own, taken)
        own = {k: fields[k].check(value) for k, value in own.items()}
        for keyword, value in own.items():
            if scheduled(value):
                raise TypeError(
                    f"{keyword}: a kernel takes numbers; call the schedule first"
                )
        hyper = {**defaults, **preset, **own}
        part = Part(kind, hyper)
        part.folded = part.fold(hyper)
        return _kept(given), part

    # Folding takes longer than a small step, so the last keywords are remembered.
    last = part_for({})

    def kernel(
        p: Array,
        g: Array,
        /,
        *states: Array,
        t: int,
        num_threads: int | None = None,
        denormals: str = "flush",
        **hyper: Any,
    ) -> None:
        nonlocal last
        if type(t) is not int or t < 1:
            t = whole("t", t, "the number of this step, from 1", least=1)
        now = last
        if not _same(hyper, now[0]):
            now = last = part_for(hyper)
        _core.apply(
            now[1],
            p,
            g,
            states,
            t,
            check_num_threads(num_threads),
            check_denormals(denormals),
        )

    kernel.__name__ = kernel.__qualname__ = name
    kernel.__doc__ = _doc(kind, last[1], kind._initial(defaults))
    keywords = {k: defaults[k] for k in taken}
    keywords |= {"convention": "torch", "num_threads": None, "denormals": "flush"}
    kernel.__signature__ = Signature(  # type: ignore[attr-defined] # inspect reads it
        [Parameter(array, Parameter.POSITIONAL_ONLY) for array in ("p", "g")]
        + [Parameter("states", Parameter.VAR_POSITIONAL)]
        + [Parameter("t", Parameter.KEYWORD_ONLY)]
        + [Parameter(k, Parameter.KEYWORD_ONLY, default=d) for k, d in keywords.items()]
    )
    return kernel


def _doc(kind: type[Optimizer], part: Part, initial: Mapping[str, float | str]) -> str:
    """Return the docstring of a kernel.

    initial : what states begin as, by name: a number, or "p" for a copy; others are 0.
    """
    scale = _core.SCALES[part.scale]
    begins = dict.fromkeys(_core.RULES[part.rule].states, "0")
    begins |= {name: str(v) for name, v in initial.items() if name in begins and v != 0}
    begins |= dict.fromkeys(part.averages, "p")
    made = {name: _array_of(value) for name, value in begins.items()}
    text = [f"{', '.join(begins) or 'None'}, with the defaults."]
    if begins:
        others = "; ".join(
            f"{name} {'a copy of p' if value == 'p' else value}"
            for name, value in begins.items()
            if value != "0"
        )
        text.append(
            "Each has p's dtype, shape and memory order, is zero before the first step "
            f"{others and f'({others}) '}and is updated."
        )
    if scale.emits:
        text.append("Then u, which is like p and holds nothing between steps.")
        made["u"] = _array_of("0")
    for name in scale.states:
        text.append(f"Then {name}, a float64 without axes, zero before the first step.")
        made[name] = "np.zeros(())"
    text.append(
        "Some hyper-parameters add an array (momentum, amsgrad, centered); the error "
        "for a wrong number of arrays names all.  No two arrays may overlap."
    )
    example = [f">>> {', '.join(made)} = {', '.join(made.values())}"] if made else []
    call = ", ".join(["p", "g", *made, "t=1"])
    example.append(f">>> lrcore.kernels.{kind.__name__.lower()}({call})")
    states = fill("  ".join(text), 84)
    return _DOC.format(
        name=kind.__name__,
        states=indent(states, "    "),
        example="\n".join(example),
    )


def _array_of(value: str) -> str:
    """Return the code that makes a state of the example."""
    if value == "p":
        return "p.copy()"
    return "np.zeros(3)" if value == "0" else f"np.full(3, {value})"


_FIXED = {float, int, bool, str, type(None), np.float64, np.float32}
"""Types whose objects are immutable."""


def _kept(given: Hyper) -> Hyper | None:
    """Return the keywords, for comparison with the next; None if one is mutable."""
    types: set[type] = set()
    for value in given.values():
        types.update(map(type, value if type(value) is tuple else (value,)))
    return given if types <= _FIXED else None


def _same(given: Hyper, last: Hyper | None) -> bool:
    """Whether keywords are the same as the last ones."""
    if last is None or len(given) != len(last):
        return False
    for name, x in given.items():  # a generator for all() takes longer than most calls
        if name not in last or not (x is last[name] or _alike(x, last[name])):
            return False
    return True


def _alike(x: Any, y: Any) -> bool:
    """Whether values have the same type and bits; their types are in `_FIXED` or tuple.

    ``==`` is not enough: True equals 1 but is refused as a number, and -0.0 equals 0.0
    but may change the bits of a step.
    """
    if type(x) is not type(y):
        return False
    if type(x) is tuple:
        return len(x) == len(y) and all(map(_alike, x, y))
    return bool(x == y) and (bool(x) or repr(x) == repr(y))


_KINDS = {
    name.lower(): kind
    for name, kind in optimizers._kinds().items()
    if kind._is_a_kernel()
}
__all__ = sorted(_KINDS)


def __getattr__(name: str) -> Kernel:
    """Make a kernel where it is first asked for."""
    if name not in _KINDS:
        raise AttributeError(
            f"lrcore.kernels has no {shown(name)}; there are {', '.join(__all__)}"
        )
    made = globals()[name] = _make(_KINDS[name])
    return made


def __dir__() -> list[str]:
    return __all__
