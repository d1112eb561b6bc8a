"""The optimizer in the place of thinc's: one of lrcore for each array."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from thinc import optimizers as _thinc

import lrcore
from lrcore._core import address
from lrcore._shared.domains import NONNEGATIVE
from lrcore._shared.overlaps import apart
from lrcore._shared.refusals import zeroable
from lrcore._shared.types import Array
from lrcore.optimizers.base.keywords import Hyper
from lrcore.thinc._arguments import ELSEWHERE, betas, why_not
from lrcore.thinc._schedules import Now, for_thinc

Key = tuple[int, str]
"""How thinc names an array: the id of its node, and its name there."""

_FIXED = ("b1", "b2", "eps", "grad_clip", "use_radam")
"""The attributes of thinc that a step reads only if they were given as schedules."""

_NO_LIMIT = float(np.finfo(np.float64).max)
"""The `clip_tensor_norm` of a step whose `grad_clip` is 0."""


class Optimizer(_thinc.Optimizer):
    """An optimizer of lrcore in the place of thinc's ``Adam``.

    With the default arguments it takes the steps of ``thinc.api.Adam``, within
    rounding.  Each array is updated in place, by an optimizer of lrcore for it alone,
    and its gradient is set to 0.  With g the gradient, clipped to the norm `grad_clip`,
    and u the direction of the rule::

        p = (1 - lr_scale learn_rate L2) (p - lr_scale learn_rate u(g))

    Parameters
    ----------
    name : str
        The optimizer: a name of ``lrcore.optimizers.available()``.  Default "Adam".
    learn_rate : float or schedule, optional
        The learning rate, as a number, a schedule of thinc or lrcore, a list, or the
        text of a schedule of lrcore: ``"Cosine(0.001, total=20000)"``.  A schedule is
        stepped by ``step_schedules()``.  Default: that of the class.
    beta1, beta2, eps : float or schedule, optional
        Decay of the running means of g and its square; added to the root.  Default:
        those of the class.
    L2 : float or schedule
        Weight decay.  Default 0.
    L2_is_weight_decay : bool
        False: ``L2 p`` is added to the gradient before it is clipped.  Default True.
    grad_clip : float or schedule
        The largest norm of the gradient of an array; 0: no limit.  Default 1.
    use_averages : bool
        Keep an average of each array: ``a = a + w (p - a)`` with
        ``w = max(9 / (10 + t), 0.0001)`` in step t, from a = 0.  Default True.
    **hyper
        Other arguments of the class: ``nesterov=True``, ``num_threads=1``.  `eps_hat`
        of Adam and AdamW is True by default, as thinc adds eps.

    Attributes
    ----------
    cores : dict
        By thinc's key (the id of a node, the name of its array), the optimizer of
        lrcore for the array, with its `state`, `t` and `report`.
    averages : dict or None
        By key, the average; ``nlp.use_params(optimizer.averages)`` evaluates with it.
    learn_rate, L2 : float or thinc.schedules.Schedule
        As in thinc; they may be set.  Others (b1, b2, eps, grad_clip) may be if they
        were given as schedules; otherwise an AttributeError says so.

    Raises
    ------
    TypeError, ValueError
        An argument cannot be used, or the optimizer needs the gradients of all arrays
        at once (`Prodigy`, `DoG`, `mechanic`, `clip_norm`), which thinc never passes.

    Examples
    --------
    >>> import lrcore.thinc
    >>> from thinc.api import Linear
    >>> model = Linear(2, 3).initialize()
    >>> y, backprop = model.begin_update(np.ones((1, 3), np.float32))
    >>> _ = backprop(np.ones_like(y))
    >>> optimizer = lrcore.thinc.Optimizer("AdamW", 0.001, L2=0.01, use_averages=False)
    >>> model.finish_update(optimizer)
    >>> [core.t for core in optimizer.cores.values()]
    [1, 1]
    """

    __slots__ = ("_hyper", "_kind", "_now", "_scheduled", "cores")

    def __init__(
        self,
        name: str = "Adam",
        learn_rate: Any = None,
        *,
        beta1: Any = None,
        beta2: Any = None,
        eps: Any = None,
        L2: Any = 0.0,  # noqa: N803 # thinc's name
        L2_is_weight_decay: bool = True,  # noqa: N803
        grad_clip: Any = 1.0,
        use_averages: bool = True,
        **hyper: Any,
    ) -> None:
        kind = lrcore.optimizers.get(name)
        for own, instead in ELSEWHERE.items():
            if own in hyper:
                raise TypeError(f"{own}: not an argument here; use {instead}")
        for beta, value in (("beta1", beta1), ("beta2", beta2)):
            if "betas" in hyper and value is not None:
                raise TypeError(f"betas: found it beside {beta}; pass one of them")
        if why := why_not(kind):
            raise ValueError(f"name: {name} cannot be used here, as {why}")
        defaults = kind._settled(hyper)
        given = {
            "learn_rate": defaults["lr"] if learn_rate is None else learn_rate,
            "L2": L2,
            "grad_clip": grad_clip,
            **betas(name, defaults.get("betas", ()), beta1, beta2),
        }
        if eps is not None:
            given["eps"] = eps
        for argument, value in given.items():
            if not hasattr(value, "__iter__"):  # neither text, list nor generator
                NONNEGATIVE.or_schedule(argument, value)
            if isinstance(value, Real):
                given[argument] = float(value)
        super().__init__(
            L2_is_weight_decay=L2_is_weight_decay,
            use_averages=use_averages,
            **{name: for_thinc(value) for name, value in given.items()},
        )
        self.cores: dict[Key, lrcore.Optimizer] = {}
        self._kind = kind
        self._now: dict[str, float] = {}
        self._scheduled: list[str] = []
        self._hyper = self._arguments(given, hyper)
        self._made(np.zeros(1, np.float32))  # for its errors

    def _arguments(self, given: Hyper, hyper: Hyper) -> Hyper:
        """Return the arguments of lrcore's class; given: those by thinc's names."""

        def value(name: str) -> Any:
            if isinstance(given[name], (int, float)):
                return given[name]
            attribute = name.replace("beta", "b")
            self._scheduled.append(attribute)
            return Now(self._now, attribute)

        own = {
            "lr": Now(self._now, "learn_rate"),
            "weight_decay": Now(self._now, "L2"),
            "decoupled_weight_decay": True,
            "independent_weight_decay": True,
            "clip_tensor_norm": value("grad_clip") or None,
            "convert_grads": True,
            "zero_grads": True,
        }
        if "beta1" in given:
            own["betas"] = (value("beta1"), value("beta2"))
        if "eps" in given:
            own["eps"] = value("eps")
        if issubclass(self._kind, lrcore.Adam):
            own["eps_hat"] = True
        if self.averages is not None:
            own["ema_decay"] = _ema_decay
        return {**own, **hyper}

    def _made(self, weights: Array) -> lrcore.Optimizer:
        return self._kind(weights, **self._hyper)

    def __call__(
        self, key: Key, weights: Array, gradient: Array, *, lr_scale: float = 1.0
    ) -> tuple[Array, Array]:
        """Update an array in place, and set its gradient to 0; thinc calls this.

        Raises
        ------
        TypeError, ValueError
            An array or the value of a schedule cannot be used; nothing is changed.
        """
        if not gradient.size:
            return weights, gradient
        core, joins = self._core(key, weights)
        rate, l2 = lr_scale * self._at("learn_rate", key), self._at("L2", key)
        decay = rate * l2 if self.L2_is_weight_decay else 0.0
        if decay > 1.0:
            raise ValueError(
                "L2: expected lr_scale learn_rate L2 <= 1, found "
                f"{lr_scale:g} * {rate / lr_scale:g} * {l2:g}; lower one of them"
            )
        now = self._now
        now["learn_rate"], now["L2"] = rate * (1.0 - decay), decay
        for name in self._scheduled:
            now[name] = self._at(name, key)
        if now.get("grad_clip") == 0.0:
            now["grad_clip"] = _NO_LIMIT
        if l2 and not self.L2_is_weight_decay:
            zeroable(["gradient"], [gradient])
            apart([("weights", weights), ("gradient", gradient)])
            whole = gradient.copy("K")
            whole += l2 * weights
            applied = core.step(whole)
            gradient[...] = 0.0
        else:
            applied = core.step(gradient)
        if joins:
            self._keep(key, core)
        if applied and core.t == 1 and self.averages is not None:
            self.averages[key] *= _FIRST  # in lrcore, it is p
        return weights, gradient

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and hasattr(self, name) and name not in self._scheduled:
            raise AttributeError(
                f"{name}: cannot be set, as the arrays' optimizers have its value; "
                "pass a schedule to Optimizer(), or make a new one"
            )
        super().__setattr__(name, value)

    def _at(self, name: str, key: Key) -> float:
        """Return the value of an attribute in this step, for an array."""
        value: Any = getattr(self, name)
        if callable(value):  # a schedule of thinc 9
            value = value(self.step, **self._schedule_args(key))
        return float(value)

    def _core(self, key: Key, weights: Array) -> tuple[lrcore.Optimizer, bool]:
        """Return the optimizer of an array, and whether it is new.

        A new one has the state of the key, and `_keep` keeps it after its first step.
        """
        known = self.cores.get(key)
        if known is not None and _is_same(known.param_groups[0].params, weights):
            return known, False
        try:
            core = self._made(weights)
        except (TypeError, ValueError) as error:
            raise type(error)(f"weights of {key}: {error}") from None
        if known is not None:
            core.load_state_dict(known.state_dict(), hyper="mine")
        return core, True

    def _keep(self, key: Key, core: lrcore.Optimizer) -> None:
        self.cores[key] = core
        if self.averages is not None:
            self.averages[key] = core.state[0]["ema"]


_FIRST = 9 / 11
"""The weight of p in thinc's average after the first step."""


def _ema_decay(t: int) -> float:
    """Return the decay of thinc's average in the step after t steps."""
    return min((2.0 + t) / (11.0 + t), 0.9999)


def _is_same(held: Array, weights: Array) -> bool:
    """Whether two arrays are one, or views of all elements of one."""
    return held is weights or (
        type(held) is type(weights)
        and address(held) == address(weights)
        and held.shape == weights.shape
        and held.strides == weights.strides
        and held.dtype == weights.dtype
    )
