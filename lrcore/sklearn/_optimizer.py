"""The optimizer that the arguments of an estimator ask for, and its rate by epochs."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, NamedTuple, Self

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import listed, shown
from lrcore.optimizers import SGD, Adam, available, get
from lrcore.optimizers.base.optimizer import Optimizer

_LEAST_RATE = 1e-6
"""The rate at which "adaptive" stops, as in scikit-learn."""


class Asked(NamedTuple):
    """The optimizer that an estimator asks for: its class and arguments.

    law : how its rates change by epochs, a value of `learning_rate`.
    """

    kind: type[Optimizer]
    options: Mapping[str, Any]
    law: str

    @classmethod
    def by(cls, mlp: Any) -> Self:
        """Return that of an estimator, whose arguments are of the right types.

        Raises
        ------
        TypeError, ValueError
            Arguments do not go together, or there is no such optimizer.
        """
        given = mlp.optimizer_options or {}
        if "lr" in given:
            raise ValueError(
                f"optimizer_options: found lr={shown(given['lr'])}; give it as "
                "learning_rate_init, a number or a schedule"
            )
        if "params" in given:
            raise ValueError(
                f"optimizer_options: found params={shown(given['params'])}; leave it "
                "out, as the params are the estimator's coefs_ and intercepts_"
            )
        if given.get("comm") is not None:
            raise ValueError(
                f"optimizer_options: found comm={shown(given['comm'])}; leave it out, "
                "as each process would fit, stop early and be pickled by itself: share "
                "the step of a loop of your own, by lrcore.Adam(params, comm=...)"
            )
        kind, options = (
            _of_solver(mlp) if mlp.optimizer is None else (_kind(mlp.optimizer), {})
        )
        if mlp.learning_rate_init is not None:
            options["lr"] = mlp.learning_rate_init
        return cls(kind, {**options, **given}, _law(mlp))

    def made(self, coefs: list[Array], intercepts: list[Array]) -> Optimizer:
        """Return the optimizer of these arrays.

        Raises
        ------
        TypeError, ValueError
            As the optimizer's class; or it keeps several averages; or `law` is
            "invscaling" and a rate is not a number.
        """
        params = {"coefs": coefs, "intercepts": intercepts}
        opt = self.kind(params=params, **self.options)
        for rate in rates(opt):
            if self.law == "invscaling" and not isinstance(rate, Real):
                raise ValueError(
                    "learning_rate: 'invscaling' needs numbers as learning_rate_init "
                    f"and as the lr of each group, found {shown(rate)}; use "
                    "learning_rate='constant' with a schedule, which falls by itself"
                )
        if len(opt._kept()) > 1:
            raise ValueError(
                "optimizer_options: expected at most one average of the params, as the "
                f"estimator predicts with it, found {listed(sorted(opt._kept()))}"
            )
        return opt


class Saved(NamedTuple):
    """An optimizer in a pickled estimator.

    The optimizer itself would be rebuilt on the arrays of the file, which joblib can
    map read-only.
    """

    asked: Asked
    arrays: list[Array]
    state: Mapping[str, Any]

    @classmethod
    def of(cls, opt: Optimizer, asked: Asked) -> Self:
        """Return what `restored` needs."""
        return cls(asked, arrays_of(opt), opt.state_dict())

    def restored(self) -> Optimizer:
        """Return the optimizer, with its own arrays."""
        arrays = [np.array(a) for a in self.arrays]
        half = len(arrays) // 2
        opt = self.asked.made(arrays[:half], arrays[half:])
        opt.load_state_dict(self.state)
        return opt


def arrays_of(opt: Optimizer) -> list[Array]:
    """Return the coefs that an optimizer updates, then the intercepts."""
    return [leaf.array for leaf in opt._tree.leaves]


def rates(opt: Optimizer) -> list[Any]:
    """Return the learning rate of each group."""
    return [group["lr"] for group in opt.param_groups]


def end_epoch(mlp: Any) -> None:
    """Set the rates of the next epoch, if they depend on the number of samples seen."""
    if mlp._asked.law == "invscaling":
        divisor = (mlp.t_ + 1) ** mlp.power_t
        groups = zip(mlp.optimizer_.param_groups, mlp._first_rates, strict=True)
        for group, first in groups:
            group["lr"] = first / divisor


def stops(mlp: Any, why: str) -> bool:
    """Return whether a run without progress ends; if it goes on, reduce its rate.

    why : a sentence, printed if the estimator is verbose.
    """
    opt = mlp.optimizer_
    ends = True
    if mlp._asked.law != "adaptive":
        then = "Stopping."
    elif opt.lr <= _LEAST_RATE:
        then = "Learning rate too small. Stopping."
    else:
        opt.multiply_lr(0.2)
        ends, then = False, f"Setting learning rate to {opt.lr:f}"
    if mlp.verbose:
        print(f"{why} {then}")
    return ends


def _law(mlp: Any) -> str:
    """Return how the rates change by epochs, which scikit-learn's Adam ignores."""
    heeded = mlp.optimizer is not None or mlp.solver == "sgd"
    return str(mlp.learning_rate) if heeded else "constant"


def _of_solver(mlp: Any) -> tuple[type[Optimizer], dict[str, Any]]:
    """Return scikit-learn's optimizer, as lrcore has it."""
    if mlp.solver == "adam":
        betas = (mlp.beta_1, mlp.beta_2)
        return Adam, {"betas": betas, "eps": mlp.epsilon, "eps_hat": True}
    return SGD, {
        "momentum": mlp.momentum,
        "nesterov": bool(mlp.nesterovs_momentum and mlp.momentum),
        "lr_in_momentum": True,
    }


def _kind(given: str | type) -> type[Optimizer]:
    if isinstance(given, str):
        known = {name.lower(): name for name in available()}
        return get(known.get(given.lower(), given))
    if not issubclass(given, Optimizer):
        raise TypeError(
            "optimizer: expected an optimizer of lrcore, its name or class, found "
            f"{shown(given)}"
        )
    return given
