"""A part of a group: arrays with the same layout and the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, NamedTuple

from lrcore._core import (
    GAUGES,
    MECHANIC,
    MECHANIC_NUMBERS,
    NORM_MEAN,
    RULES,
    SCALES,
    SCRATCH,
    Folded,
)
from lrcore._shared.words import shortened, shown
from lrcore.optimizers.base import mechanic
from lrcore.optimizers.base.adagc import AdaGC
from lrcore.optimizers.base.fold import Weights
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind


class Layout(NamedTuple):
    """The settings that determine the state arrays and the shared numbers.

    rule, scale : names of rules.def and scales.def; "" is no scale.
    averages : names of state arrays.
    axes : the axes of the norms of adaptive clipping; None: no such clipping.
    tensor_norm : whether gradients are clipped by each array's norm.
    norm_means : whether that norm follows the past ones.
    mechanic : whether Mechanic scales the steps.
    """

    rule: str
    scale: str
    averages: tuple[str, ...]
    axes: tuple[int, ...] | None
    tensor_norm: bool
    norm_means: bool
    mechanic: bool

    def __str__(self) -> str:
        names = [repr(n) for n in (self.rule, self.scale, *self.averages) if n]
        adagc = ' "adagc"' if self.norm_means else ""
        names += [f"clip_tensor_norm{adagc}"] if self.tensor_norm else []
        names += ["mechanic"] if self.mechanic else []
        names += [] if self.axes is None else [f"agc over axes {shown(self.axes)}"]
        return " and ".join(names)


class Part:
    """A part of a group: its layout and its numbers.

    folded : the numbers of a step; None if something is scheduled.
    pieces : the functions that compute them, except lr, decay and l2: each computes the
        attribute of Folded with its name from the result of `own`.
    pulls, factoring, sides, directed, sums_all, carries_per_array : those of its kind.
    """

    __slots__ = (
        "carries_per_array",
        "directed",
        "factoring",
        "folded",
        "kind",
        "layout",
        "pieces",
        "pulls",
        "sides",
        "sums_all",
    )

    def __init__(self, kind: type[Kind], hyper: Hyper) -> None:
        self.kind = kind
        self.layout = self.layout_of(hyper)
        self.folded: Folded | None = None
        self.pieces = self._pieces()
        self.pulls, self.sums_all = kind._PULLS, kind._sums_all
        self.factoring, self.sides = kind._factoring, kind._sides
        self.directed = kind._directed
        self.carries_per_array = kind._carries_per_array

    @property
    def rule(self) -> str:
        """A rule of rules.def."""
        return self.layout.rule

    @property
    def scale(self) -> str:
        """A scale of scales.def, or ""."""
        return self.layout.scale

    @property
    def gauge(self) -> str:
        """A gauge of gauges.def, or ""."""
        return "along_delta" if self.layout.mechanic else self.kind._gauge

    @property
    def carries(self) -> tuple[str, ...]:
        """Names of the numbers that its arrays share and carry from step to step."""
        return (MECHANIC_NUMBERS,) if self.layout.mechanic else self.kind._carries

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of the rule's state arrays, and of others that the gauge reads."""
        states = RULES[self.rule].states
        gauged = MECHANIC if self.layout.mechanic else GAUGES[self.gauge].arrays
        return states + tuple(name for name in gauged if name not in states)

    @property
    def averages(self) -> tuple[str, ...]:
        """Names of the state arrays that are averages."""
        return self.layout.averages

    @property
    def alike(self) -> tuple[str, ...]:
        """Names of the core's arrays that are like the parameter."""
        scratch = SCALES[self.scale].emits or self.directed
        return self.arrays + self.averages + ((SCRATCH,) if scratch else ())

    @property
    def own_numbers(self) -> tuple[str, ...]:
        """Names of the states that are numbers, and belong to one array."""
        means = (NORM_MEAN,) if self.layout.norm_means else ()
        return SCALES[self.scale].states + means

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the states that are numbers, not arrays like the parameter."""
        return self.own_numbers + self.carries

    @property
    def states(self) -> tuple[tuple[str, ...], int]:
        """Names of all state arrays, and their bytes a weight in float32."""
        return self.kind._states_of(self.alike, self.numbers)

    @property
    def per_array(self) -> bool:
        """Whether each array has its own numbers."""
        layout = self.layout
        own = bool(layout.scale) or self.carries_per_array
        return own or layout.tensor_norm or layout.axes is not None

    def layout_of(self, h: Hyper) -> Layout:
        """Return the layout for these hyper-parameters."""
        kind, axes = self.kind, None
        adapts = _setting(h["clip_tensor_norm"]) is not None
        if adapts and h["agc"] is not None:
            raise ValueError(
                "agc: expected None with clip_tensor_norm = AdaGC, which clips each "
                f"array, too, found {shown(h['agc'])}; leave one of them out"
            )
        if h["agc"] is not None:
            axes = h["agc_axis"]
            if axes is None:
                raise ValueError(
                    "agc_axis: expected the axes to take norms over with agc (0 for "
                    "the columns of a matrix, 1 for its rows), found None"
                )
        if h["mechanic"] and not kind._takes_mechanic():
            raise ValueError(
                f"mechanic: expected False for {shortened(kind.__name__)}, which finds "
                "its rate or makes the params anew in each step, found True; leave it "
                "out"
            )
        return Layout(
            kind._rule_for(h),
            kind._scale,
            tuple(kind._averages(h)),
            axes,
            h["clip_tensor_norm"] is not None,
            adapts,
            h["mechanic"],
        )

    def fold(self, h: Hyper) -> Folded:
        """Fold the hyper-parameters into the numbers of the driver."""
        return self.fold_own(self.own(h))

    def own(self, h: Hyper) -> Hyper:
        """Return the hyper-parameters with the rule, which stays fixed.

        Unless it is scheduled, lr is multiplied by lr_scale.
        """
        lr, lr_scale = h["lr"], h["lr_scale"]
        fixed = not (callable(lr) or callable(lr_scale))
        return {**h, "rule": self.rule, "lr": rate(lr, lr_scale) if fixed else lr}

    def fold_own(self, own: Hyper) -> Folded:
        """Fold the result of `own`."""
        l2, decay = self.kind._decay(own)
        return Folded(
            lr=own["lr"],
            decay=decay(own["lr"]),
            gscale=-1.0 if own["maximize"] else 1.0,
            l2=l2,
            **{name: make(own) for name, make in self.pieces.items()},
        )

    def _pieces(self) -> dict[str, Callable[[Hyper], Any]]:
        kind = self.kind
        pieces: dict[str, Callable[[Hyper], Any]] = {"coefs": kind._fold}
        if self.averages:
            pieces["weights"] = partial(_weights, kind)
        if self.scale:
            pieces["scale"] = kind._fold_scale
        if kind._gauge:
            pieces["gauge"] = kind._fold_gauge
        if kind._factoring:
            pieces["factor"] = kind._fold_factors
        if kind._directed:
            pieces["direct"] = kind._fold_directions
        if self.layout.mechanic:
            pieces["tune"] = mechanic.fold
        return pieces | _CLIPS


def rate(lr: float, lr_scale: float) -> float:
    """Return the learning rate of a group's step."""
    product = lr * lr_scale
    if product == inf:
        raise ValueError(
            f"lr_scale: found {lr_scale:g}, times which lr = {lr:g} is out of range"
        )
    return product


def _weights(kind: type[Kind], h: Hyper) -> Weights:
    """Return the function for the weights of all averages in a step."""
    weights = tuple(kind._averages(h).values())
    if len(weights) == 1:
        (only,) = weights
        return lambda t: (only(t),)
    return lambda t: tuple([weight(t) for weight in weights])


def _number(norm: float | AdaGC | None) -> float:
    return 0.0 if norm is None or isinstance(norm, AdaGC) else norm


def _setting(norm: float | AdaGC | None) -> AdaGC | None:
    # Asking the class takes longer: it is an abstract one.
    return norm if norm is not None and isinstance(norm, AdaGC) else None


_CLIPS: dict[str, Callable[[Hyper], Any]] = {
    "clip_value": lambda h: h["clip_value"] or 0.0,
    "clip_norm": lambda h: _number(h["clip_tensor_norm"]),
    "adagc": lambda h: _setting(h["clip_tensor_norm"]),
    "agc": lambda h: h["agc"] or 0.0,
    "agc_eps": lambda h: h["agc_eps"],
}
"""The settings of adaptive and element-wise clipping for the C core; 0: none."""
