"""The arguments that the estimators have besides scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from numbers import Real
from typing import Any

import numpy as np

from lrcore._shared.words import shown
from lrcore.sklearn._optimizer import Asked

OWN = ("optimizer", "optimizer_options")
"""The arguments that scikit-learn's classes do not have; None by default."""


def extended(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor of scikit-learn's with the arguments of lrcore."""

    def __init__(self: Any, *args: Any, **given: Any) -> None:  # noqa: N807
        own = {name: given.pop(name, None) for name in OWN}
        init(self, *args, **given)
        vars(self).update(own)

    theirs = signature(init)
    own = [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in OWN]
    vars(__init__)["__signature__"] = theirs.replace(
        parameters=[*theirs.parameters.values(), *own]
    )
    return __init__


def constraints(theirs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the types of arguments for which scikit-learn looks, by name."""
    return {
        **theirs,
        "learning_rate_init": [*theirs["learning_rate_init"], callable, None],
        "optimizer": [str, type, None],
        "optimizer_options": [dict, None],
    }


def check(mlp: Any) -> None:
    """Check the optimizer's arguments of an estimator, whose others are checked.

    Raises
    ------
    TypeError, ValueError
        Arguments do not go together, or the optimizer refuses one.
    """
    plain = isinstance(mlp.learning_rate_init, Real)
    if mlp.solver == "lbfgs":
        _check_for_lbfgs(mlp, plain)
        return
    if plain and mlp.optimizer is None and mlp.optimizer_options is None:
        return  # scikit-learn has checked the arguments of its own optimizers
    layers = np.size(mlp.hidden_layer_sizes) + 1
    Asked.by(mlp).made(
        [np.zeros((1, 1)) for _ in range(layers)], [np.zeros(1) for _ in range(layers)]
    )


def _check_for_lbfgs(mlp: Any, plain: bool) -> None:
    for name in OWN:
        if getattr(mlp, name) is not None:
            raise ValueError(
                f"{name}: found with solver='lbfgs', which is SciPy's; leave solver out"
            )
    if not plain:
        raise ValueError(
            f"learning_rate_init: found {shown(mlp.learning_rate_init)} with "
            "solver='lbfgs', which is SciPy's and has no rate; leave solver out, or "
            "give a number, which it ignores"
        )
