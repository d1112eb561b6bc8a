"""What may be wrong with the arrays a user hands over, in words.

Each function returns where all is well, and raises TypeError or ValueError with the
argument's name, what was found and how to mend it, before anything has been written.
A message is short whatever the user passed, and takes time linear in what was passed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from math import prod
from operator import itemgetter
from typing import Any

import numpy as np

from lrcore._shared.trees import Leaf, Place, Tree, flatten, get
from lrcore._shared.words import error, kind, listed, named, shortened, shown

_FLOAT32, _FLOAT64 = np.dtype("float32"), np.dtype("float64")
_MISSING = object()

Name = str | Place
"""What a message calls an array or a container."""

Named = tuple[Name, np.ndarray]


def params(tree: Tree) -> None:
    """Check the arrays that an optimizer is to update."""
    if not tree.leaves:
        raise ValueError("params: found no array in it")
    named = _named("params", tree)
    for name, a in named:
        if not isinstance(a, np.ndarray) and isinstance(a, Iterable):
            raise error(
                TypeError,
                name,
                "expected an array, or a list, tuple or dict of them, "
                f"found {kind(a)}; pass list(...) of its arrays",
            )
        writable(name, a, keep=True)
    _apart(named)


def gradients(grads: Any, name: str, *, writes: bool = False) -> list[np.ndarray]:
    """Return the arrays of nested gradients, which can be read, or written."""
    named = _named(name, flatten(grads, name=name))
    for where, a in named:
        if writes:
            writable(where, a)
        else:
            _array(where, a)
    if writes:
        _apart(named)
    return [a for _, a in named]


def _named(root: str, tree: Tree) -> list[Named]:
    return [(Place(root, leaf), leaf.array) for leaf in tree.leaves]


def step_arguments(
    tree: Tree, groups: Sequence[Any], grads: Any, states: Sequence[Sequence[Any]]
) -> None:
    """Say why a step with these gradients was refused.  Always raises."""
    for index, group in enumerate(groups):
        if group.owner is not None:
            found = group.owner.get("params", _MISSING)
            _rebound(f"params[{index}]['params']", found, group.params)
    like = _containers(tree, grads)
    spans = _spans(_owned(tree, states))
    for leaf in tree.leaves:
        _steppable(tree, leaf)
        g = get(like[leaf.node], leaf.key) if leaf.node >= 0 else grads
        name = Place("grads", leaf)
        _matches(name, g, Place("params", leaf), leaf.array)
        _apart_from(spans, name, g)
    raise _moved()


def _owned(tree: Tree, states: Sequence[Sequence[np.ndarray]]) -> list[Named]:
    """Return what an optimizer has, with names."""
    owned = _named("params", tree)
    for leaf, arrays in zip(tree.leaves, states, strict=True):
        owned += [(Place("the state of params", leaf), array) for array in arrays]
    return owned


def _steppable(tree: Tree, leaf: Leaf) -> None:
    """A parameter is still where it was, and can be written."""
    name = Place("params", leaf)
    if leaf.node >= 0:
        container = tree.nodes[leaf.node].container
        _rebound(name, get(container, leaf.key, _MISSING), leaf.array)
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


def one_gradient(tree: Tree, i: int, g: Any, states: Sequence[Sequence[Any]]) -> None:
    """Say why the step of one array was refused.  Always raises."""
    leaf = tree.leaves[i]
    _steppable(tree, leaf)
    _matches("grad", g, Place("params", leaf), leaf.array)
    _apart_from(_spans(_owned(tree, states)), "grad", g)
    raise _moved()


def zeroable(names: Sequence[str], grads: Sequence[np.ndarray]) -> None:
    """Check gradients that a step is to zero."""
    named: list[Named] = list(zip(names, grads, strict=True))
    for name, g in named:
        if not g.flags.writeable:
            raise error(
                ValueError,
                name,
                "found a read-only array, which zero_grads could not zero; "
                "pass ....copy()",
            )
    _apart(named)


def unfinished(tree: Tree, to_come: Iterable[int]) -> None:
    """Say that a step of all arrays came between those of each.  Always raises."""
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
        f"{what} needs the gradients of all arrays at once; use step(grads)"
    )


def units(
    name: Name, p: np.ndarray, axes: Sequence[int] | None
) -> tuple[int, int, int] | None:
    """Return (outer, reduced, inner) in memory order of norms over axes of an array.

    Axes that it lacks are left out.  None: there are no such norms.
    """
    if axes is None:
        return None
    if p.ndim < 2:
        return 1, p.size, 1
    own = sorted(a % p.ndim for a in axes if -p.ndim <= a < p.ndim)
    if not own:
        raise ValueError(
            f"agc_axis: expected axes of {shortened(str(name))}, which has {p.ndim}, "
            f"found {shown(axes)}"
        )
    if own != [*range(own[0], own[-1] + 1)]:
        raise ValueError(
            f"agc_axis: expected neighbouring axes of {shortened(str(name))}, "
            f"each once, found {shown(axes)}"
        )
    shape, first, last = p.shape, own[0], own[-1] + 1
    if not p.flags.c_contiguous:
        shape, first, last = shape[::-1], p.ndim - last, p.ndim - first
    return prod(shape[:first]), prod(shape[first:last]), prod(shape[last:])


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
    writable("p", p)
    _matches("g", g, "p", p)
    named: list[Named] = [("p", p), ("g", g)]
    for index, (name, state) in enumerate(zip(names, states, strict=True)):
        if index < alike:
            _matches(name, state, "p", p)
        else:
            _matches(name, state, "its kind", np.zeros(()))
        writable(name, state)
        named.append((name, state))
    _apart(named)
    raise AssertionError("refused for no reason found")


def names(found: Any, tree: Tree) -> None:
    """Check the names of saved arrays against the params' paths."""
    saved, leaves = list(found), tree.leaves
    pairs = zip(leaves, saved, strict=False)
    at = next((i for i, (leaf, name) in enumerate(pairs) if leaf.path != name), None)
    if at is None and len(saved) == len(leaves):
        return
    ours = f"[{listed(leaves, lambda leaf: shown(leaf.path))}]"
    theirs = f"[{listed(saved)}]" if isinstance(found, list) else named(found)
    if at is not None and ours == theirs:  # as both are long
        raise ValueError(
            f"names[{at}]: expected {shown(leaves[at].path)}, found {shown(saved[at])}"
        )
    raise ValueError(f"names: expected {ours}, found {theirs}")


def state(name: Name, value: Any, own: np.ndarray) -> None:
    """Check a saved state array against the optimizer's: type and shape, not layout."""
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise error(TypeError, name, f"expected a numpy.ndarray, found {kind(value)}")
    if value.dtype != own.dtype:
        found = shortened(str(value.dtype))
        raise error(TypeError, name, f"expected dtype {own.dtype}, found {found}")
    if value.shape != own.shape:
        wanted, found = shown(own.shape), shown(value.shape)
        raise error(ValueError, name, f"expected shape {wanted}, found {found}")


def buffers(arrays: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """The addresses [start, end) of arrays that hold anything, in order."""
    return sorted(_extent(a) for a in arrays if a.nbytes)


# --- one array ------------------------------------------------------------------------


def _array(
    name: Name, a: Any, *, like: np.dtype[Any] = _FLOAT32, keep: bool = False
) -> None:
    """Check for an array that a kernel can read.

    like: the dtype to advise; keep: whether the caller has to keep what he converts.
    """
    if a is None and not keep:
        raise error(
            TypeError, name, "found None; where there is no gradient pass zeros"
        )
    if isinstance(a, np.ma.MaskedArray):
        raise error(TypeError, name, "found a masked array; fill it first: .filled(0)")
    if not isinstance(a, np.ndarray):
        raise error(
            TypeError,
            name,
            f"expected a numpy.ndarray, found {kind(a)}; "
            + _mend(keep, f"numpy.asarray({{}}, numpy.{like})"),
        )
    if a.dtype != _FLOAT32 and a.dtype != _FLOAT64:
        found = shortened(a.dtype.name)
        order = "" if a.dtype.isnative else " in foreign byte order"
        raise error(
            TypeError,
            name,
            f"expected dtype float32 or float64, found {found}{order}; "
            + _mend(keep, f"{{}}.astype(numpy.{like})"),
        )
    if not (a.flags.c_contiguous or a.flags.f_contiguous):
        raise error(
            ValueError,
            name,
            f"found a non-contiguous array with strides {shown(a.strides)}; "
            + _mend(keep, "numpy.ascontiguousarray({})"),
        )
    if not a.flags.aligned:
        raise error(ValueError, name, "found a misaligned array; " + _mend(keep))


def writable(name: Name, a: Any, *, keep: bool = False) -> None:
    _array(name, a, keep=keep)
    if not a.flags.writeable:
        raise error(
            ValueError,
            name,
            "found a read-only array, which a step could not update; " + _mend(keep),
        )


def _mend(keep: bool, how: str = "{}.copy()") -> str:
    """Advise a conversion; a converted parameter is to be kept, to be seen training."""
    if keep:
        return f"make it so, keep it and pass it: p = {how.format('p')}"
    return f"pass {how.format('...')}"


def _matches(name: Name, a: Any, of: Name, p: np.ndarray) -> None:
    """`a` belongs to the parameter `p`: same type, shape and memory order."""
    _array(name, a, like=p.dtype)
    if a.dtype != p.dtype:
        raise error(
            TypeError,
            name,
            f"expected dtype {p.dtype} as {of} has, found {a.dtype}; "
            f"pass ....astype(numpy.{p.dtype})",
        )
    if a.shape != p.shape:
        turned = ", the shape of its transpose" if a.T.shape == p.shape else ""
        raise error(
            ValueError,
            name,
            f"expected shape {shown(p.shape)} as {of} has, "
            f"found {shown(a.shape)}{turned}",
        )
    order, other = ("C", "F") if p.flags.c_contiguous else ("F", "C")
    if not a.flags[f"{order}_CONTIGUOUS"]:
        raise error(
            ValueError,
            name,
            f"expected memory order {order} as {of} has, found {other} "
            f'(a transposed view?); pass numpy.asarray(..., order="{order}")',
        )


# --- arrays among each other ----------------------------------------------------------


def _extent(a: np.ndarray) -> tuple[int, int]:
    start = a.__array_interface__["data"][0]
    return start, start + a.nbytes


Span = tuple[int, int, Name]
"""An array's addresses [start, end), and its name."""


def _spans(named: Sequence[Named]) -> list[Span]:
    """Return the spans of arrays that hold anything, in order of address."""
    spans = [(*_extent(a), name) for name, a in named if a.nbytes]
    return sorted(spans, key=itemgetter(0, 1))


def _apart(named: Sequence[Named]) -> None:
    """No two of these arrays overlap."""
    for (_, end, first), (start, _, second) in pairwise(_spans(named)):
        if start < end:
            raise error(
                ValueError,
                second,
                f"found to share memory with {shortened(str(first))}; "
                "copy one: .copy()",
            )


def _apart_from(spans: list[Span], name: Name, a: np.ndarray) -> None:
    """An array overlaps none of these spans, which do not overlap each other."""
    start, end = _extent(a)
    if start == end:
        return
    at = bisect_left(spans, end, key=itemgetter(0))  # those before begin before its end
    if at and spans[at - 1][1] > start:
        raise error(
            ValueError,
            name,
            f"found to share memory with {spans[at - 1][2]}; copy it: .copy()",
        )


# --- containers -----------------------------------------------------------------------


def _rebound(name: Name, found: Any, wanted: Any) -> None:
    if found is not wanted:
        what = "nothing there now" if found is _MISSING else "another object there now"
        raise error(
            ValueError,
            name,
            f"found {what}; the optimizer updates the object it was given. "
            "Assign in place (p[...] = value), or construct the optimizer after it",
        )


def _containers(tree: Tree, grads: Any) -> list[Any]:
    """The params' containers are as they were, and the gradients' are like them.

    Return the gradients' containers, in the order of the tree's nodes.
    """
    known: list[list[Any]] = [[] for _ in tree.nodes]  # the keys at construction
    for node in tree.nodes[1:]:
        known[node.parent].append(node.key)
    for leaf in tree.leaves:
        if leaf.node >= 0:
            known[leaf.node].append(leaf.key)
    like: list[Any] = []
    for node, keys in zip(tree.nodes, known, strict=True):
        name = Place("params", node)
        g = grads
        if node.parent >= 0:
            above = tree.nodes[node.parent].container
            _rebound(name, get(above, node.key, _MISSING), node.container)
            g = get(like[node.parent], node.key)
        if changes := _differences(_keys(node.container), keys):
            raise error(
                ValueError,
                name,
                f"found {changes} since construction; "
                "construct the optimizer after the change",
            )
        _like(Place("grads", node), g, name, node.container)
        like.append(g)
    return like


def _like(name: Name, g: Any, of: Name, container: Any) -> None:
    kinds: tuple[type, ...] = (dict,) if isinstance(container, dict) else (list, tuple)
    if not isinstance(g, kinds):
        wanted = " or ".join(each.__name__ for each in kinds)
        raise error(TypeError, name, f"expected a {wanted} as {of} is, found {kind(g)}")
    keys = _keys(container)
    if differences := _differences(_keys(g), keys):
        raise error(
            ValueError,
            name,
            f"expected the {len(keys)} entries of {of}, found {differences}",
        )


def _keys(container: Any) -> Collection[Any]:
    return container if isinstance(container, dict) else range(len(container))


def _differences(found: Collection[Any], wanted: Collection[Any]) -> str:
    """Say which keys are too many and which are too few; "" where there are none."""
    differences = []
    for word, some, others in (("extra", found, wanted), ("missing", wanted, found)):
        others = set(others)
        if only := [key for key in some if key not in others]:
            differences.append(f"{word} [{listed(only)}]")
    return " and ".join(differences)
