"""Every optimizer of lrcore in optax's shape, outside of jit: ``init`` and ``update``.

::

    opt = lrcore.optax.adamw(1e-3, weight_decay=1e-4)
    state = opt.init(params)
    updates, state = opt.update(grads, state, params)
    params = optax.apply_updates(params, updates)

``lrcore.optax.adamw`` is made of ``lrcore.AdamW``, and so on, with optax's names of
arguments and, where there is a ``convention="optax"``, its defaults.  Params may be JAX
or NumPy arrays.  docs/how_to/coming_from_optax.md says what changes; `lrcore.jax_ffi`
steps inside of jit.

Examples
--------
>>> import jax.numpy as jnp, lrcore.optax, optax
>>> opt = lrcore.optax.adamw(0.1, weight_decay=0.0)
>>> params = {"w": jnp.ones(3)}
>>> state = opt.init(params)
>>> grads = {"w": jnp.array([1.0, -2.0, 0.0])}
>>> updates, state = opt.update(grads, state, params)
>>> optax.apply_updates(params, updates)["w"].round(4)
Array([0.9, 1.1, 1. ], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

try:
    import jax
    import optax as _optax
except ImportError as missing:
    raise ImportError(
        'lrcore.optax needs optax: pip install "lrcore[optax]", or optax itself'
    ) from missing

import numpy as np

import lrcore
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.optimizers.base.keywords import Hyper

_NAMES = {"SignSGD": "sign_sgd"}
"""optax's names that are not lrcore's in lower case."""

_KINDS = {
    _NAMES.get(name, name.lower()): each.kind
    for name, each in lrcore.optimizers.available().items()
}

__all__ = ["State", *sorted(_KINDS)]

_OURS = {
    "beta": "momentum",
    "decay": "alpha",
    "eps_in_sqrt": "eps_inside",
    "initial_scale": "initial_accumulator_value",
    "max_learning_rate": "max_lr",
    "weight_decay_mask": "mask",
}
"""lrcore's names of arguments, by optax's; b1, b2 and b3 are its betas."""

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


class State:
    """What ``init`` and ``update`` return: an optimizer of lrcore after some updates.

    The next update changes it in place, so each state can be used once;
    ``copy.deepcopy(state)`` keeps one.  To JAX it is a node without leaves.

    Attributes
    ----------
    core : lrcore.Optimizer
        The optimizer of lrcore.  Its params are copies of yours, a dict by their paths,
        such as ``"layers.0.bias"``.  It has the `report` and ``state_dict()``.
    count : int
        The number of updates before it.
    """

    def __init__(self, run: _Run, count: int) -> None:
        self._run, self.count = run, count

    @property
    def core(self) -> lrcore.Optimizer:
        """The optimizer of lrcore."""
        return self._run.core

    def __repr__(self) -> str:
        return f"State({self.core!r})"


jax.tree_util.register_static(State)


class _Run:
    """What the states of a run share.

    own : copies of the params, in the order of JAX's leaves, which `core` steps.
    groups : the group of each leaf; empty if there is one group.
    count : the number of updates.
    init : the function that made it; None in a copy, with which any optimizer of the
        same kind may go on, such as one in the process that loads a pickle.
    """

    def __init__(
        self,
        kind: type[lrcore.Optimizer],
        hyper: Hyper,
        mask: Any,
        params: Any,
        init: Callable[[Any], State],
    ) -> None:
        self.init: Callable[[Any], State] | None = init
        paths = jax.tree_util.tree_leaves_with_path(params)
        _refuse_traced([leaf for _, leaf in paths], kind)
        self.own = [np.array(leaf) for _, leaf in paths]
        self.names = _names([path for path, _ in paths])
        self.groups = [] if mask is None else _groups(mask, params)
        self.count = 0
        given: Any = self._placed(self.own)
        if self.groups:
            given = [{"params": given[0]}, {"params": given[1], "weight_decay": 0.0}]
        self.core = kind(given, **hyper)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "init": None}

    def _placed(self, arrays: list[Any]) -> Any:
        """Return arrays in the structure of the core's params."""
        if not self.groups:
            return dict(zip(self.names, arrays, strict=True))
        placed: list[dict[str, Any]] = [{}, {}]
        for group, name, array in zip(self.groups, self.names, arrays, strict=True):
            placed[group][name] = array
        return placed

    def step(self, grads: Any, params: Any, value: Any) -> Any:
        """Return the updates of params, in their structure."""
        leaves, tree = jax.tree.flatten(params)
        gradients = tree.flatten_up_to(grads)
        _refuse_traced([*leaves, *gradients], type(self.core))
        before = [np.asarray(leaf) for leaf in leaves]
        self._check(before)
        for own, p in zip(self.own, before, strict=True):
            own[...] = p
        self.core.step(
            self._placed([None if g is None else np.asarray(g) for g in gradients]),
            None if value is None else float(value),
        )
        self.count += 1
        return tree.unflatten(
            [
                own - p if leaf is p else jax.numpy.asarray(own - p)
                for own, p, leaf in zip(self.own, before, leaves, strict=True)
            ]
        )

    def _check(self, params: list[Array]) -> None:
        """Check that params are like those of ``init``."""
        if len(params) != len(self.own):
            raise ValueError(
                f"params: expected {len(self.own)} arrays as init had, found "
                f"{len(params)}"
            )
        for name, own, p in zip(self.names, self.own, params, strict=True):
            if p.shape != own.shape or p.dtype != own.dtype:
                raise ValueError(
                    f"params: {name}: expected {own.dtype}{list(own.shape)} as init "
                    f"had, found {p.dtype}{list(p.shape)}"
                )


def _run_of(
    state: Any, kind: type[lrcore.Optimizer], init: Callable[[Any], State]
) -> _Run:
    """Return the run of a state, after checking that it is the last one of this run.

    kind, init : of the optimizer that is to update it.
    """
    if not isinstance(state, State):
        raise TypeError(
            "state: expected what init or the update before returned, found "
            f"{shown(state)}; the order is update(grads, state, params)"
        )
    run = state._run
    if type(run.core) is not kind or run.init not in (init, None):
        raise ValueError(
            f"state: expected that of this optimizer ({kind.__name__}), found that of "
            f"another ({type(run.core).__name__}), which has its own arguments; pass "
            "what init or the update before returned"
        )
    if state.count != run.count:
        raise RuntimeError(
            f"state: found that of {state.count} updates, which a later one has "
            f"changed in place ({run.count} now); use the state that the last update "
            "returned, or keep copy.deepcopy(state)"
        )
    return run


def _made(kind: type[lrcore.Optimizer], name: str) -> Callable[..., Any]:
    """Return the function of an optimizer."""
    convention = "optax" if "optax" in kind._conventions else "torch"

    def function(learning_rate: Any = None, *, mask: Any = None, **hyper: Any) -> Any:
        first = {"learning_rate": learning_rate, "mask": mask}
        first = {key: value for key, value in first.items() if value is not None}
        hyper = {"convention": convention, **_by_our_names({**first, **hyper})}
        mask = hyper.pop("mask", None)
        _gather_betas(kind, hyper)
        hyper = {key: _for_lrcore(key, value) for key, value in hyper.items()}
        kind(np.zeros(1, np.float32), **{**hyper, "groups": None})  # for its errors

        def init(params: Any) -> State:
            return State(_Run(kind, hyper, mask, params, init), 0)

        def update(
            updates: Any, state: State, params: Any = None, *, value: Any = None,
            **others: Any,
        ) -> tuple[Any, State]:  # fmt: skip
            run = _run_of(state, kind, init)
            if params is None:
                raise ValueError(
                    "params: expected the params, found None; call "
                    "update(grads, state, params)"
                )
            found = run.step(updates, params, value)
            return found, State(run, run.count)

        return _optax.GradientTransformationExtraArgs(init, update)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = _DOC.format(name=kind.__name__, convention=convention)
    function.__signature__ = _signature(kind, convention)  # type: ignore[attr-defined]
    return function


def _signature(kind: type[lrcore.Optimizer], convention: str) -> Signature:
    """Return the signature of the function of an optimizer."""
    defaults = kind._settled({"convention": convention})
    rate = defaults.pop("lr")
    return Signature(
        [Parameter("learning_rate", Parameter.POSITIONAL_OR_KEYWORD, default=rate)]
        + [
            Parameter(name, Parameter.KEYWORD_ONLY, default=default)
            for name, default in {"mask": None, **defaults}.items()
        ]
    )


def _by_our_names(given: Hyper) -> Hyper:
    """Return arguments by lrcore's names, and refuse two names of one."""
    names: dict[str, str] = {}
    for name in given:
        ours = "lr" if name == "learning_rate" else _OURS.get(name, name)
        if ours in names:
            raise TypeError(
                f"{name}: found it beside {names[ours]}, another name of the same "
                "argument; pass one of them"
            )
        names[ours] = name
    return {ours: given[name] for ours, name in names.items()}


def _gather_betas(kind: type[lrcore.Optimizer], hyper: Hyper) -> None:
    """Replace b1, b2 and b3 by betas, where an optimizer has them."""
    if "betas" not in kind._fields:
        return
    betas = list(kind._settled({"convention": hyper["convention"]})["betas"])
    given = {k: hyper.pop(f"b{k + 1}", None) for k in range(len(betas))}
    given = {k: beta for k, beta in given.items() if beta is not None}
    if given:
        if "betas" in hyper:
            raise TypeError(
                f"b{min(given) + 1}: found it beside betas, which has all; pass one "
                "of them"
            )
        hyper["betas"] = tuple(given.get(k, beta) for k, beta in enumerate(betas))


def _for_lrcore(name: str, value: Any) -> Any:
    """Return a hyper-parameter as lrcore takes it: numbers for arrays of JAX."""
    if isinstance(value, jax.Array):
        return float(value)
    if isinstance(value, tuple):
        return tuple(_for_lrcore(name, each) for each in value)
    ours = name == "project" or isinstance(value, lrcore.schedules.Schedule)
    return _Floats(value) if callable(value) and not ours else value


class _Floats:
    """A schedule of optax, which returns arrays of JAX, as one of floats."""

    def __init__(self, schedule: Callable[[int], Any]) -> None:
        self.schedule = schedule

    def __call__(self, t: int) -> Any:
        value = self.schedule(t)
        return value if isinstance(value, tuple) else float(value)

    def __repr__(self) -> str:
        return repr(self.schedule)


def _groups(mask: Any, params: Any) -> list[int]:
    """Return the group of each leaf: 0 where the mask is True."""
    mask = mask(params) if callable(mask) else mask
    flags = jax.tree.map(lambda m, p: jax.tree.map(lambda _: bool(m), p), mask, params)
    return [int(not flag) for flag in jax.tree.leaves(flags)]


def _names(paths: list[Any]) -> list[str]:
    """Return names of leaves by their paths, such as "layers.0.bias"."""
    keystr = jax.tree_util.keystr
    names = [keystr(path, simple=True, separator=".") or "array" for path in paths]
    several = len({*names}) < len(names)  # where a key has a dot
    return [keystr(path) for path in paths] if several else names


def _refuse_traced(leaves: list[Any], kind: type[lrcore.Optimizer]) -> None:
    """Refuse values that JAX traces, as within jit."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        raise TypeError(
            "found values that JAX traces (jit, grad, vmap), which have no memory to "
            "step; leave init and update out of jit, or step inside of it by "
            f"lrcore.jax_ffi.Stepper(lrcore.{kind.__name__}, ...)"
        )


def __getattr__(name: str) -> Callable[..., Any]:
    """Make a function where it is first asked for."""
    if name not in _KINDS:
        raise AttributeError(f"module 'lrcore.optax' has no attribute {name!r}")
    made = globals()[name] = _made(_KINDS[name], name)
    return made


def __dir__() -> list[str]:
    return sorted(__all__)
