"""Stopping when a metric has stopped improving, with the best weights kept."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Literal

import numpy as np

from lrcore._shared import arrays, containers, trees
from lrcore._shared.domains import NONNEGATIVE, real, whole
from lrcore._shared.types import Array
from lrcore._shared.words import error, shown
from lrcore.training.plateau import MODES, improves, known

_MISSING = object()


class EarlyStopping:
    """Says when to stop, and keeps the params of the best metric.

    ::

        stopping = lrcore.EarlyStopping(patience=5, params=params)
        for epoch in range(1000):
            train(params)
            if stopping.update(loss_on_validation_set):
                break
        stopping.restore()              # the best params, in place

    It belongs to the params that it was given: a copy of it, or a pickle, keeps and
    restores copies of its own; `state_dict` is what continues a run.

    An update is an improvement where the metric is below ``best - min_delta`` (mode
    "max": above ``best + min_delta``); it is time to stop when `patience` updates in a
    row were none.

    Parameters
    ----------
    patience : int
        Updates in a row without an improvement after which to stop, >= 0; 0 is as 1.
        Default 10.
    min_delta : float
        How much better than the best is an improvement, >= 0.  Default 0.
    relative : bool
        Whether min_delta is a fraction of abs(best).  Default False.
    mode : {"min", "max"}
        Whether the metric is to fall or to rise.  Default "min".
    warmup : int
        The first updates that are not looked at, >= 0: neither a best nor bad.
        Default 0.
    params : ndarray, nested list / tuple / dict of ndarray, or None
        Of which the best are kept, by a copy at each improvement into memory that is
        taken at construction; as an optimizer takes them, but of several groups a list
        of each one's params.  Default None: nothing is kept.

    Attributes
    ----------
    best : float
        The best metric so far; infinite before there is one.
    best_update : int or None
        In which update it was, counted from 0.
    num_updates : int
        Updates so far, those of the warm-up included.
    num_bad : int
        Updates in a row without an improvement; NaN is none.
    patience, min_delta, ...
        As given.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain, or an array cannot be restored in place.

    References
    ----------
    Prechelt 1998, "Early stopping - but when?"; patience and warm-up are counted as by
    Keras's ``EarlyStopping`` (``start_from_epoch``), whose first metric is the best
    even where it is NaN.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> w = np.zeros(2)
    >>> stopping = lrcore.EarlyStopping(patience=2, params=w)
    >>> for loss in (3.0, 1.0, 2.0, 2.0):
    ...     w += 1
    ...     stop = stopping.update(loss)
    >>> stop, stopping.best, stopping.best_update
    (True, 1.0, 1)
    >>> stopping.restore()
    >>> w
    array([2., 2.])
    """

    __slots__ = (
        "_kept",
        "_tree",
        "best",
        "best_update",
        "min_delta",
        "mode",
        "num_bad",
        "num_updates",
        "patience",
        "relative",
        "warmup",
    )

    best: float
    best_update: int | None

    def __init__(
        self,
        patience: int = 10,
        min_delta: float = 0.0,
        *,
        relative: bool = False,
        mode: Literal["min", "max"] = "min",
        warmup: int = 0,
        params: Any = None,
    ) -> None:
        self.patience = whole("patience", patience, "an int >= 0", least=0)
        self.min_delta = NONNEGATIVE.check("min_delta", min_delta)
        if relative not in (True, False):
            raise TypeError(
                f"relative: expected True or False, found {shown(relative)}"
            )
        self.relative = bool(relative)
        self.mode = MODES.check("mode", mode)
        self.warmup = whole("warmup", warmup, "an int >= 0", least=0)
        self._tree = trees.Tree([], [], [])
        if params is not None:
            self._tree = trees.flatten(params)
            containers.params(self._tree)
        self._kept: list[Array] = [np.zeros_like(a.array) for a in self._tree.leaves]
        self.reset()

    def reset(self) -> None:
        """Begin anew: no metric seen, nothing kept."""
        self.best = inf if self.mode == "min" else -inf
        self.best_update = None
        self.num_bad = 0
        self.num_updates = 0

    def update(self, metric: float) -> bool:
        """Take a new value of the metric, and keep the params where it is the best.

        Parameters
        ----------
        metric : float
            The loss on a validation set, or whatever is to improve.  NaN is no
            improvement.

        Returns
        -------
        bool
            Whether to stop.

        Raises
        ------
        TypeError, ValueError
            The metric is no number, or an array of the params was replaced in its
            container.  Nothing has been changed then.
        """
        value = real("metric", metric, "a number")
        self._in_place()
        if self.num_updates >= self.warmup:
            delta = self.min_delta * (abs(self.best) if self.relative else 1.0)
            if improves(value, self.best, self.mode, delta, relative=False):
                for kept, leaf in zip(self._kept, self._tree.leaves, strict=True):
                    kept[...] = leaf.array
                self.best = value
                self.best_update = self.num_updates
                self.num_bad = 0
            else:
                self.num_bad += 1
        self.num_updates += 1
        return self.num_bad >= max(self.patience, 1)

    def restore(self) -> None:
        """Put the best params back, in place and to the bit.

        Raises
        ------
        RuntimeError
            There are none: no `params` were given, or no update was an improvement.
        ValueError
            An array was replaced in its container, or is read-only now.  Nothing has
            been changed then.
        """
        if not self._kept:
            raise RuntimeError(
                "restore: found no params; construct EarlyStopping with params=..."
            )
        if self.best_update is None:
            raise RuntimeError(
                "restore: found nothing kept; none of "
                f"{shown(self.num_updates)} updates was an improvement"
            )
        self._in_place()
        for leaf in self._tree.leaves:
            arrays.writable(trees.Place("params", leaf), leaf.array)
        for kept, leaf in zip(self._kept, self._tree.leaves, strict=True):
            leaf.array[...] = kept

    def _in_place(self) -> None:
        """Check that the params are where they were: not rebound in a container."""
        nodes, leaves, _ = self._tree
        held: list[tuple[int, Any, trees.Node | trees.Leaf]]
        held = [(n.parent, n.container, n) for n in nodes[1:]]
        held += [(a.node, a.array, a) for a in leaves if a.node >= 0]
        for node, wanted, place in held:
            if trees.get(nodes[node].container, place.key, _MISSING) is not wanted:
                raise error(
                    ValueError,
                    trees.Place("params", place),
                    "expected the object that was there at construction, found "
                    "another; assign in place (p[...] = value)",
                )

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` takes, with copies of the best params."""
        kept = self.best_update is not None
        return {
            **{name: getattr(self, name) for name in (*_CONFIG, *_STATE)},
            "names": [leaf.path for leaf in self._tree.leaves],
            "weights": [a.copy() for a in self._kept] if kept else [],
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue where the one that gave this ``state_dict()`` was.

        Raises
        ------
        TypeError, ValueError
            It is no such dict, or one of other params.  Nothing has been changed then.
        """
        wanted = self.state_dict().keys()
        if not isinstance(saved, Mapping) or saved.keys() != wanted:
            raise ValueError(f"saved: expected {list(wanted)}, found {shown(saved)}")
        new = EarlyStopping(**{name: saved[name] for name in _CONFIG})
        new.best = known("best", saved["best"])
        for name in ("num_bad", "num_updates"):
            setattr(new, name, whole(name, saved[name], "an int >= 0", least=0))
        if saved["best_update"] is not None:
            new.best_update = whole(
                "best_update", saved["best_update"], "an int >= 0 or None", least=0
            )
        leaves = self._tree.leaves
        containers.names(saved["names"], self._tree)
        count = len(leaves) if new.best_update is not None else 0
        if len(saved["weights"]) != count:
            raise ValueError(
                f"weights: expected {count} arrays, found {len(saved['weights'])}"
            )
        pairs = list(zip(self._kept, saved["weights"], strict=False))
        for leaf, (own, array) in zip(leaves, pairs, strict=False):
            arrays.state(trees.Place("weights of params", leaf), array, own)
        for name in (*_CONFIG, *_STATE):
            setattr(self, name, getattr(new, name))
        for own, array in pairs:
            own[...] = array

    def __repr__(self) -> str:
        return (
            f"<EarlyStopping best={self.best:g} in update {self.best_update} of "
            f"{self.num_updates}, {self.num_bad} of {self.patience} without>"
        )


_CONFIG = ("patience", "min_delta", "relative", "mode", "warmup")
_STATE = ("best", "best_update", "num_bad", "num_updates")

__all__ = ["EarlyStopping"]
