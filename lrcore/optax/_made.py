"""The functions: what makes an optimizer in optax's shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optax as _optax

import lrcore
from lrcore.optax._arguments import (
    by_our_names,
    for_lrcore,
    gather_betas,
    signature,
)
from lrcore.optax._state import Run, State, run_of

_DOC = """Return lrcore's {name} in the shape of an optax optimizer.

Parameters
----------
learning_rate : float or schedule, optional
    A number, or a schedule of lrcore or optax.  Default: that of the class.
mask : tree of bool, or function of the params, optional
    Where the weight decay applies, as in optax: a tree may end above the leaves.
**hyper
    Other arguments of :class:`lrcore.{name}`, by its names or optax's (``b1``, ``b2``,
    ``decay``).  ``convention`` is "{convention}" by default.

Returns
-------
optax.GradientTransformationExtraArgs
    Its ``init(params)`` returns a :class:`State`; ``update(grads, state, params,
    value=None)`` returns the updates and the next one.  `value` is the loss, for `SPS`.

Raises
------
TypeError, ValueError
    An argument cannot be used; for ``init`` and ``update``, an array cannot, or a
    function that jit traces calls them, or the state is that of another optimizer.
    Nothing is changed.
RuntimeError
    A state is used for a second time.
"""


def made(kind: type[lrcore.Optimizer], name: str) -> Callable[..., Any]:
    """Return the function of an optimizer."""
    convention = "optax" if "optax" in kind._conventions else "torch"

    def function(learning_rate: Any = None, *, mask: Any = None, **hyper: Any) -> Any:
        first = {"learning_rate": learning_rate, "mask": mask}
        first = {key: value for key, value in first.items() if value is not None}
        hyper = {"convention": convention, **by_our_names({**first, **hyper})}
        mask = hyper.pop("mask", None)
        if hyper.get("comm") is not None:
            raise ValueError(
                "comm: expected None in optax's shape, whose states are values; use "
                f"lrcore.{kind.__name__}(params, comm=...) on NumPy arrays"
            )
        gather_betas(kind, hyper)
        hyper = {key: for_lrcore(key, value) for key, value in hyper.items()}
        kind(np.zeros(1, np.float32), **{**hyper, "groups": None})  # for its errors

        def init(params: Any) -> State:
            return State(Run(kind, hyper, mask, params, init), 0)

        def update(
            updates: Any, state: State, params: Any = None, *, value: Any = None,
            **others: Any,
        ) -> tuple[Any, State]:  # fmt: skip
            run = run_of(state, kind, init)
            if params is None:
                raise ValueError(
                    "params: expected the params, found None; call "
                    "update(grads, state, params)"
                )
            found = run.step(updates, params, value)
            return found, State(run, run.count)

        return _optax.GradientTransformationExtraArgs(init, update)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "lrcore.optax"
    function.__doc__ = _DOC.format(name=kind.__name__, convention=convention)
    vars(function)["__signature__"] = signature(kind, convention)
    return function
