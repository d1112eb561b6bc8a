"""Stopping when a metric has stopped improving, with the best weights kept."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, ClassVar, Literal

import numpy as np

from lrcore._core import Commit
from lrcore._shared import arrays, containers, trees
from lrcore._shared.domains import FINITE, FLAG, MODES, NONNEGATIVE, count
from lrcore._shared.types import Array
from lrcore._shared.words import error, shown
from lrcore._stateful import Check, counted
from lrcore.training._metric import FOLLOWING, Following, improves, number

_MISSING = object()


class EarlyStopping(Following):
    """Says when to stop, and keeps the params of the best metric.

    ::

        stopping = lrcore.EarlyStopping(patience=5, params=params)
        for epoch in range(1000):
            train(params)
            if stopping.update(loss_on_validation_set):
                break
        stopping.restore()              # the best params, in place

    It belongs to the params that it was given.  A copy or pickle of it has copies of
    them, and restores these; to continue a run, save its `state_dict`.

    An update is an improvement if the metric is below ``best - min_delta`` (mode "max":
    above ``best + min_delta``); it is time to stop after `patience` updates in a row
    without an improvement.

    Parameters
    ----------
    patience : int
        Updates in a row without an improvement after which to stop, >= 0; 0 is as 1.
        Default 10.
    min_delta : float
        The least improvement on the best metric, >= 0.  Default 0.
    relative : bool
        Whether min_delta is a fraction of abs(best).  Default False.
    mode : {"min", "max"}
        Whether the metric is to fall or to rise.  Default "min".
    warmup : int
        The number of first updates that are ignored, >= 0: none of them is the best,
        none is bad.  Default 0.
    params : ndarray, nested list / tuple / dict of ndarray, or None
        The params whose best values are kept: copied at each improvement, into memory
        that is allocated at construction.  They are given as to an optimizer; of
        several groups, give a list of each one's params.  Default None: nothing is
        kept.
    baseline : float or None
        An improvement that is not also better than this, by min_delta, counts as bad:
        a run that does not reach it in time is stopped.  Default None.
    stop_at_nan : bool
        Whether to stop at once at a metric that is NaN or infinite, also in the
        warm-up.  Default False: it is no improvement.
    smoothing : int
        The mean of each `smoothing` successive metrics counts as one metric, >= 1; the
        params of the last of them are kept.  `patience` counts means; the warm-up and
        ``best_update`` count updates.  Default 1.

    Attributes
    ----------
    best : float
        The best metric so far; infinite before there is one.
    best_update : int or None
        The update that it came with, counted from 0.
    num_updates : int
        The number of updates so far, with those of the warm-up.
    num_bad : int
        The number of updates in a row without an improvement; NaN is no improvement.
    patience, min_delta, ...
        As given.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain, or an array cannot be restored in place.

    References
    ----------
    Prechelt 1998, "Early stopping - but when?"; patience, baseline and warm-up
    (``start_from_epoch``) are those of Keras's ``EarlyStopping``.  There, the first
    metric is the best even if it is NaN, and a run does not stop at a new best that is
    still not better than the baseline.

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
        "baseline",
        "best_update",
        "min_delta",
        "num_updates",
        "patience",
        "relative",
        "stop_at_nan",
        "warmup",
    )

    _config = (
        "patience", "min_delta", "relative", "mode", "warmup", "baseline",
        "stop_at_nan", "smoothing",
    )  # fmt: skip
    _changing: ClassVar[Mapping[str, Check]] = {
        **FOLLOWING,
        "best_update": count(0).or_none().check,
        "num_updates": counted,
    }
    _later = Following._later | {"baseline", "stop_at_nan"}
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
        baseline: float | None = None,
        stop_at_nan: bool = False,
        smoothing: int = 1,
    ) -> None:
        self.patience: int = count(0).check("patience", patience)
        self.min_delta = NONNEGATIVE.check("min_delta", min_delta)
        self.relative = FLAG.check("relative", relative)
        self.mode = MODES.check("mode", mode)
        self.warmup: int = count(0).check("warmup", warmup)
        self.baseline = FINITE.or_none().check("baseline", baseline)
        self.stop_at_nan = FLAG.check("stop_at_nan", stop_at_nan)
        self.smoothing: int = count(1).check("smoothing", smoothing)
        self._tree = trees.Tree([], [], [])
        if params is not None:
            self._tree = trees.flatten(params)
            containers.params(self._tree)
        own = [arrays.bare(leaf.array) for leaf in self._tree.leaves]
        self._kept: list[Array] = [np.zeros_like(a) for a in own]
        self._begin()

    def _begin(self) -> None:
        super()._begin()
        self.best_update = None
        self.num_updates = 0

    def update(self, metric: float) -> bool:
        """Take a new value of the metric; keep the params if it is the best.

        Parameters
        ----------
        metric : float
            The loss on a validation set, say.  NaN is no improvement.

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
        value = number("metric", metric)
        self._in_place()
        commit, new = Commit(), self._copy()
        stops = new._follow(value)
        if new.best_update != self.best_update:
            for kept, leaf in zip(self._kept, self._tree.leaves, strict=True):
                commit.copy(kept, leaf.array)
        self._take(new, commit)
        commit.make()
        return stops

    def _follow(self, metric: float) -> bool:
        """Take a metric, but not the params; return whether to stop."""
        ignored = self.num_updates < self.warmup
        self.num_updates += 1
        if self.stop_at_nan and not isfinite(metric):
            return True
        mean = None if ignored else self._averaged(metric)
        if mean is not None:
            self._judge(mean)
        return self.num_bad >= max(self.patience, 1)

    def _judge(self, metric: float) -> None:
        self.num_bad += 1
        if not self._better(metric, self.best):
            return
        self.best = metric
        self.best_update = self.num_updates - 1
        if self.baseline is None or self._better(metric, self.baseline):
            self.num_bad = 0

    def _better(self, metric: float, than: float) -> bool:
        return improves(metric, than, self.mode, self.min_delta, relative=self.relative)

    def restore(self) -> None:
        """Put the best params back, in place and to the bit.

        Raises
        ------
        RuntimeError
            Nothing was kept: no `params` were given, or no update was an improvement.
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
        commit = Commit()
        for kept, leaf in zip(self._kept, self._tree.leaves, strict=True):
            commit.copy(leaf.array, kept)
        commit.make()

    def _in_place(self) -> None:
        """Check that the params are where they were: not rebound in a container."""
        nodes, leaves = self._tree.nodes, self._tree.leaves
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
        """Return what ``load_state_dict`` takes, with copies of the best params.

        Returns
        -------
        dict
            Arguments and counts by name; "names", the paths of the params; "weights",
            a list of arrays, which is empty before the first improvement.
        """
        kept = self.best_update is not None
        return {
            **super().state_dict(),
            "names": [leaf.path for leaf in self._tree.leaves],
            "weights": [a.copy() for a in self._kept] if kept else [],
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue where the one that gave this ``state_dict()`` was.

        Parameters
        ----------
        saved : mapping
            Of an EarlyStopping whose params have the same names and shapes.  The best
            params are copied; those of the run stay as they are until `restore`.

        Raises
        ------
        TypeError, ValueError
            It is not from ``state_dict()``, or it belongs to other params.  In this
            case, nothing is changed.
        """
        new = self._revived(saved)
        leaves = self._tree.leaves
        containers.names(saved["names"], self._tree)
        wanted = len(leaves) if new.best_update is not None else 0
        weights = containers.entries("weights", saved["weights"])
        if len(weights) != wanted:
            raise ValueError(f"weights: expected {wanted} arrays, found {len(weights)}")
        pairs = list(zip(self._kept, weights, strict=False))
        for leaf, (own, array) in zip(leaves, pairs, strict=False):
            arrays.state(trees.Place("weights of params", leaf), array, own)
        commit = Commit()
        for own, array in pairs:
            like = np.empty_like(own, subok=False)  # the saved one may be transposed
            like[...] = arrays.bare(array)
            commit.copy(own, like)
        self._take(new, commit)
        commit.make()

    def __repr__(self) -> str:
        return (
            f"<EarlyStopping best={self.best:g} in update {self.best_update} of "
            f"{self.num_updates}, {self.num_bad} of {self.patience} without>"
        )


__all__ = ["EarlyStopping"]
