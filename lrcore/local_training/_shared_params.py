"""The params that all ranks share, and the outer optimizer that steps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared import arrays, trees
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.optimizers._families import FTRL, MADGRAD, SGD, DAdaptSGD
from lrcore.optimizers.base.optimizer import Optimizer

NESTEROV = partial(SGD, lr=0.7, momentum=0.9, nesterov=True)
"""The outer optimizer of DiLoCo (section 3.1)."""

Vectors = Mapping[np.dtype[Any], Array]
"""The elements of all arrays of a dtype, one array after the other in memory order."""


class Places(NamedTuple):
    """Where arrays of a dtype are in its vector.

    n : elements of the vector.
    begins : (array, where it begins).
    """

    n: int
    begins: list[tuple[int, int]]


class SharedParams:
    """A copy q of the params p of an optimizer, and the optimizer of q.

    make : makes that of q; None: the one of DiLoCo.
    """

    def __init__(self, inner: Optimizer, make: Any) -> None:
        self.tree = inner._tree
        copy = deepcopy(self.tree)
        self.arrays = [arrays.bare(leaf.array) for leaf in copy.leaves]
        self.outer = _made(NESTEROV if make is None else make, copy)
        self.places: dict[np.dtype[Any], Places] = {}
        for i, a in enumerate(self.arrays):
            n, begins = self.places.get(a.dtype, (0, []))
            self.places[a.dtype] = Places(n + a.size, [*begins, (i, n)])

    @property
    def own(self) -> list[Array]:
        """The params p of this rank."""
        return [arrays.bare(leaf.array) for leaf in self.tree.leaves]

    def differences(self) -> dict[np.dtype[Any], Array]:
        """Return q - p."""
        own, found = self.own, {}
        for dtype, (n, begins) in self.places.items():
            vector = found[dtype] = np.empty(n, dtype)
            with np.errstate(all="ignore"):
                for i, at in begins:
                    q = self.arrays[i].reshape(-1, order="A")
                    p = own[i].reshape(-1, order="A")
                    np.subtract(q, p, out=vector[at : at + q.size])
        return found

    def shaped(self, vectors: Vectors) -> list[Array]:
        """Return the parts of vectors in the shapes of the arrays."""
        found: list[Array] = [np.empty(0)] * len(self.arrays)
        for dtype, (_, begins) in self.places.items():
            for i, at in begins:
                q = self.arrays[i]
                part, shape = vectors[dtype][at : at + q.size], q.shape
                turned = not q.flags.c_contiguous
                found[i] = (
                    part.reshape(shape[::-1]).T if turned else part.reshape(shape)
                )
        return found

    def step(self, means: Vectors) -> None:
        """Let the outer optimizer step q."""
        self.outer.step(_like(self.tree, self.shaped(means)))

    def layouts(self) -> list[str]:
        """Return what each array is, in words."""
        return [
            f"{leaf.path} of {q.dtype} {q.shape}"
            + ("" if q.flags.c_contiguous else " in Fortran order")
            for leaf, q in zip(self.tree.leaves, self.arrays, strict=True)
        ]


def check_inner(inner: Optimizer) -> None:
    """Refuse an optimizer whose states say where p is."""
    kinds = [group.optimizer for group in inner.param_groups]
    bound = [
        kind.__name__
        for kind in (type(inner), *kinds)
        if not kind._projects or issubclass(kind, (DAdaptSGD, FTRL, MADGRAD))
    ]
    if any("slow" in state for state in inner.state):
        bound.append("lookahead_steps")
    if any(group["mechanic"] for group in inner.param_groups):
        bound.append("mechanic")
    if bound:
        raise ValueError(
            "inner: expected an optimizer that goes on from params which another one "
            f"has moved, found one with {bound[0]}, whose states say where the params "
            "are; use AdamW or SGD"
        )


def _made(make: Any, tree: trees.Tree) -> Optimizer:
    """Return the optimizer of a copy of the params."""
    if not callable(make) or isinstance(make, Optimizer):
        raise TypeError(
            "outer: expected a function that makes an optimizer of params, such as "
            "lrcore.SGD or functools.partial(lrcore.SGD, lr=0.7, momentum=0.9), found "
            f"{shown(make)}"
        )
    opt = make(trees.root(tree))
    wanted = [id(leaf.array) for leaf in tree.leaves]
    if isinstance(opt, Optimizer) and wanted == [id(a.array) for a in opt._tree.leaves]:
        return opt
    raise TypeError(
        "outer: expected a function that returns an optimizer of the params that it "
        f"gets, found {shown(opt)}"
    )


def _like(tree: trees.Tree, own: Sequence[Array]) -> Any:
    """Return containers as those of a tree, with these arrays."""
    if not tree.nodes:
        return own[0]
    new: list[Any] = [
        dict(c) if isinstance(c, dict) else list(c)
        for c in (node.container for node in tree.nodes)
    ]
    for node, container in zip(tree.nodes[1:], new[1:], strict=True):
        new[node.parent][node.key] = container
    for leaf, a in zip(tree.leaves, own, strict=True):
        new[leaf.node][leaf.key] = a
    return new[0]
