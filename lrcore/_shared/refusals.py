"""The messages of refused steps.

The binding finds in a few nanoseconds that an argument cannot be used.  Then it calls
these functions, which look for the reason and raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lrcore._shared.arrays import (
    Name,
    Named,
    bare,
    convertible,
    matches,
    viewed,
    viewed_or_why_not,
    writable,
)
from lrcore._shared.containers import MISSING, like_containers, rebound, with_names
from lrcore._shared.overlaps import apart, apart_from, spans
from lrcore._shared.trees import Leaf, Place, Tree, flatten, get
from lrcore._shared.words import error, kind, listed


def step_arguments(
    tree: Tree,
    groups: Sequence[Any],
    grads: Any,
    states: Sequence[Mapping[str, Any]],
    converts: bool,
) -> None:
    """Say why a step with these gradients was refused.  Always raises.

    converts: whether gradients that do not fit are converted.
    """
    for index, group in enumerate(groups):
        if group.owner is not None:
            found = group.owner.get("params", MISSING)
            rebound(f"params[{index}]['params']", found, group.params)
    like = like_containers(tree, grads)
    taken = spans(_owned(tree, states))
    for leaf in tree.leaves:
        _steppable(tree, leaf)
        g = get(like[leaf.node], leaf.key) if leaf.node >= 0 else grads
        if g is None:  # it has no gradient this time
            continue
        name = Place("grads", leaf)
        if _gradient(name, g, leaf, converts):
            apart_from(taken, name, viewed(g))
    raise _moved()


def one_gradient(
    tree: Tree, i: int, g: Any, states: Sequence[Mapping[str, Any]], converts: bool
) -> None:
    """Say why the step of one array was refused.  Always raises."""
    leaf = tree.leaves[i]
    _steppable(tree, leaf)
    if g is not None and _gradient("grad", g, leaf, converts):
        apart_from(spans(_owned(tree, states)), "grad", viewed(g))
    raise _moved()


def _gradient(name: Name, g: Any, leaf: Leaf, converts: bool) -> bool:
    """Check a gradient; return whether the step reads it as it is."""
    p = bare(leaf.array)
    if type(g) is p.dtype.type and p.ndim == 0:  # what g.mean() gives
        return False
    g, why = viewed_or_why_not(g)
    can_be = convertible(g, p)
    try:
        matches(name, g, Place("params", leaf), p)
    except (TypeError, ValueError) as error:
        if not can_be:
            raise error from why
        if converts:
            return False
        raise type(error)(f"{error}, or set convert_grads=True") from None
    return True


def kernel_arguments(
    p: Any, g: Any, names: Sequence[str], states: Sequence[Any], alike: int
) -> None:
    """Say why a kernel's arguments were refused.  Always raises.

    alike: how many of the states are like p; the others are 0-d, of float64.
    """
    if len(states) != len(names):
        wanted = ", ".join(names) or "none"
        raise TypeError(
            f"states: expected {len(names)} ({wanted}), found {len(states)}"
        )
    writable("p", p, keep=True)
    matches("g", g, "p", p)
    named: list[Named] = [("p", p), ("g", g)]
    for index, (name, state) in enumerate(zip(names, states, strict=True)):
        if index < alike:
            matches(name, state, "p", p)
        else:
            matches(name, state, "its kind", np.zeros(()))
        writable(name, state, keep=True)
        named.append((name, state))
    apart(named)
    raise AssertionError("refused for no reason found")


def zeroable(names: Sequence[Name], grads: Sequence[np.ndarray]) -> None:
    """Check gradients that a step is to zero."""
    named: list[Named] = list(zip(names, grads, strict=True))
    for name, g in named:
        if not bare(g).flags.writeable:
            raise error(
                ValueError,
                name,
                "found a read-only array, which zero_grads could not zero; "
                "pass numpy.array(...)",
            )
    apart(named)


def zeroable_source(
    tree: Tree, i: int, g: np.ndarray, states: Sequence[Mapping[str, Any]]
) -> None:
    """Say why a gradient that was converted could not be zeroed."""
    name = Place("grads", tree.leaves[i])
    zeroable([name], [g])
    apart_from(spans(_owned(tree, states)), name, g)


def unfinished(tree: Tree, to_come: Iterable[int]) -> None:
    """Say that `step` was called within a round of `step_one`.  Always raises."""
    raise RuntimeError(
        f"step_one has yet to step {_params(tree, to_come)}; pass it None for an array "
        "without a gradient"
    )


def stepped_twice(tree: Tree, to_come: Iterable[int], i: int) -> None:
    """Say that an array was stepped twice in a round.  Always raises."""
    raise ValueError(
        f"which: {_param(tree, i)} has been stepped in this round, "
        f"{_params(tree, to_come)} not yet"
    )


def not_alone(what: str) -> None:
    """Say what needs the gradients of all arrays.  Always raises."""
    raise ValueError(
        f"{what} needs the gradients of all arrays at once: step them together, by "
        "step(), not one by one"
    )


def projection(tree: Tree, found: Any) -> None:
    """Check what `project` did: it changed the params' arrays, and made no new ones.

    found : the value that it returned, which may hold the params.
    """
    for leaf in tree.leaves:
        _steppable(tree, leaf)
    own = {id(leaf.array) for leaf in tree.leaves}
    returned = flatten(found, name="project").leaves if found is not None else []
    for leaf in returned:
        if id(leaf.array) not in own:
            raise TypeError(
                "project: expected a function that changes the params in place and "
                f"returns None, found one that returned {kind(leaf.array)}; write "
                "p[...] = value, or numpy.maximum(p, 0, out=p)"
            )


def moved(tree: Tree) -> ValueError:
    """Return the error for params whose memory or type `project` has changed."""
    try:
        for leaf in tree.leaves:
            _steppable(tree, leaf)
    except ValueError as error:
        return error
    return _moved()


def _owned(tree: Tree, states: Sequence[Mapping[str, np.ndarray]]) -> list[Named]:
    """Return the params and states of an optimizer, with names."""
    owned = with_names("params", tree)
    for leaf, own in zip(tree.leaves, states, strict=True):
        name = Place("the state of params", leaf)
        owned += [(name, array) for array in own.values()]
    return owned


def _steppable(tree: Tree, leaf: Leaf) -> None:
    """Check that a parameter is still in its container, and can be written."""
    name = Place("params", leaf)
    if leaf.node >= 0:
        container = tree.nodes[leaf.node].container
        rebound(name, get(container, leaf.key, MISSING), leaf.array)
    writable(name, leaf.array)


def _moved() -> ValueError:
    return ValueError(
        "params: an array's memory was moved since construction (by resize, or by "
        "assigning to its dtype or data); construct the optimizer anew"
    )


def _param(tree: Tree, i: int) -> str:
    return str(Place("params", tree.leaves[i]))


def _params(tree: Tree, indices: Iterable[int]) -> str:
    return listed(sorted(indices), lambda i: _param(tree, i))
