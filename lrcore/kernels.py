"""The kernels as plain functions, for callers who own their state.

There is a function for each optimizer, by its name in lower case, made from its class::

    adam(p, g, m, v, *, t, lr=1e-3, betas=(0.9, 0.999), ..., num_threads=None,
         denormals="flush")

It updates p and the state arrays in place.  The state arrays are those of the rule that
the hyper-parameters ask for (``momentum`` or ``amsgrad`` add one; the error for a wrong
number names them), of p's dtype, shape and memory order, zeros before the first step.
``t`` is the number of this step, from 1.  Hyper-parameters are numbers, and mean what
they mean on the class.

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

import inspect
from typing import Any

from lrcore import _core, optimizers
from lrcore.optimizers._base import (
    COMMON,
    Array,
    Optimizer,
    check_denormals,
    check_num_threads,
)
from lrcore.optimizers._hyper import Folded, Hyper, check, fold, scheduled


class Kernel:
    """An optimizer's update as a function; see the module."""

    def __init__(self, kind: type[Optimizer]) -> None:
        self._kind = kind
        self.__name__ = kind.__name__.lower()
        self.__doc__ = kind.__doc__
        signature = inspect.signature(kind)
        self._defaults: Hyper = {
            name: parameter.default
            for name, parameter in signature.parameters.items()
            if parameter.default is not inspect.Parameter.empty
        } | {**COMMON, "decoupled_weight_decay": kind.decoupled}
        # Folding takes longer than a small step: remember the last keywords.
        self._last = self._fold({})
        array, keyword = (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.KEYWORD_ONLY,
        )
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(name, array) for name in ("p", "g")]
            + [inspect.Parameter("states", inspect.Parameter.VAR_POSITIONAL)]
            + [inspect.Parameter("t", keyword)]
            + [
                inspect.Parameter(name, keyword, default=default)
                for name, default in {
                    **self._defaults,
                    "num_threads": None,
                    "denormals": "flush",
                }.items()
            ]
        )

    def __call__(
        self,
        p: Array,
        g: Array,
        *states: Array,
        t: int,
        num_threads: int | None = None,
        denormals: str = "flush",
        **hyper: Any,
    ) -> None:
        """Update p and the states in place; where anything is wrong, write nothing."""
        if isinstance(t, bool) or not isinstance(t, int) or t < 1:
            raise ValueError(
                f"t: expected the number of this step, from 1, found {t!r}"
            )
        last, rule, folded = self._last
        if hyper != last:
            last, rule, folded = self._last = self._fold(hyper)
        _core.apply(
            rule,
            p,
            g,
            states,
            folded,
            t,
            check_num_threads(num_threads),
            check_denormals(denormals),
        )

    def _fold(self, hyper: Hyper) -> tuple[Hyper, str, Folded]:
        """Check keywords; return them as numbers, with the rule that they ask for."""
        for name in hyper:
            if name not in self._defaults:
                raise TypeError(
                    f"{self.__name__}: unexpected keyword {name!r}; "
                    f"there are {', '.join(self._defaults)}"
                )
        checked = {name: check(name, value) for name, value in hyper.items()}
        for name, value in checked.items():
            if scheduled(value):
                raise TypeError(
                    f"{name}: a kernel takes numbers; call the schedule first"
                )
        h = {**self._defaults, **checked}
        return checked, self._kind.rule(h), fold(h, self._kind.fold)

    def __repr__(self) -> str:
        return f"<kernel {self.__name__}{self.__signature__}>"


_KERNELS = {name.lower(): Kernel(kind) for name, kind in optimizers.available().items()}
__all__ = sorted(_KERNELS)


def __getattr__(name: str) -> Kernel:
    try:
        return _KERNELS[name]
    except KeyError:
        raise AttributeError(
            f"lrcore.kernels has no {name!r}; there are {', '.join(__all__)}"
        ) from None


def __dir__() -> list[str]:
    return __all__
