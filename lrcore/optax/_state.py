"""The states of a run, and the updates that it computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import lrcore
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.optimizers.base.keywords import Hyper


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

    def __init__(self, run: Run, count: int) -> None:
        self._run, self.count = run, count

    @property
    def core(self) -> lrcore.Optimizer:
        """The optimizer of lrcore."""
        return self._run.core

    def __repr__(self) -> str:
        return f"State({self.core!r})"


jax.tree_util.register_static(State)


class Run:
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


def run_of(
    state: Any, kind: type[lrcore.Optimizer], init: Callable[[Any], State]
) -> Run:
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
