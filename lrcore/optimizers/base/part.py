"""What is stepped alike in a group: which arrays it has, and which numbers."""

from __future__ import annotations

from typing import NamedTuple

from lrcore._core import GAUGES, MECHANIC, MECHANIC_NUMBERS, RULES, Folded
from lrcore.optimizers.base import mechanic
from lrcore.optimizers.base.fold import Weights
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind


class Layout(NamedTuple):
    """What decides which arrays there are, and which share numbers.

    rule, scale : names of rules.def and scales.def; "" is no scale.
    averages : names of state arrays.
    axes : over which adaptive clipping takes norms; None: it does not.
    tensor_norm : whether gradients are clipped by each array's norm.
    mechanic : whether Mechanic scales the steps.
    """

    rule: str
    scale: str
    averages: tuple[str, ...]
    axes: tuple[int, ...] | None
    tensor_norm: bool
    mechanic: bool

    def __str__(self) -> str:
        names = [repr(n) for n in (self.rule, self.scale, *self.averages) if n]
        names += ["clip_tensor_norm"] if self.tensor_norm else []
        names += ["mechanic"] if self.mechanic else []
        names += [] if self.axes is None else [f"agc over axes {self.axes}"]
        return " and ".join(names)


class Part:
    """What is stepped alike in a group: its layout, and the numbers that it takes.

    folded : the numbers of a step; None where something is scheduled.
    """

    __slots__ = ("folded", "kind", "layout")

    def __init__(self, kind: type[Kind], hyper: Hyper) -> None:
        self.kind = kind
        self.layout = self.layout_of(hyper)
        self.folded: Folded | None = None

    @property
    def rule(self) -> str:
        """Of rules.def."""
        return self.layout.rule

    @property
    def scale(self) -> str:
        """Of scales.def, or ""."""
        return self.layout.scale

    @property
    def gauge(self) -> str:
        """Of gauges.def, or ""."""
        return "along_delta" if self.layout.mechanic else self.kind._gauge

    @property
    def carries(self) -> tuple[str, ...]:
        """Names of what its arrays have in common, and carry from step to step."""
        return (MECHANIC_NUMBERS,) if self.layout.mechanic else self.kind._carries

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of the rule's state arrays, and of what else the gauge reads."""
        states = RULES[self.rule].states
        gauged = MECHANIC if self.layout.mechanic else GAUGES[self.gauge].arrays
        return states + tuple(name for name in gauged if name not in states)

    @property
    def averages(self) -> tuple[str, ...]:
        """Names of state arrays."""
        return self.layout.averages

    @property
    def pulls(self) -> frozenset[str]:
        """The averages that the params become."""
        return self.kind._PULLS

    @property
    def factoring(self) -> str:
        """How its second moments are factored: see lrcore.h; or ""."""
        return self.kind._factoring

    @property
    def directed(self) -> bool:
        """Whether its directions are made in Python."""
        return self.kind._directed

    @property
    def sums_all(self) -> bool:
        """Whether the gauge's sums are of all groups."""
        return self.kind._sums_all

    @property
    def carries_per_array(self) -> bool:
        """Whether each array has numbers of its own that it carries."""
        return self.kind._carries_per_array

    @property
    def per_array(self) -> bool:
        """Whether each array takes numbers of its own."""
        layout = self.layout
        own = bool(layout.scale) or self.carries_per_array
        return own or layout.tensor_norm or layout.axes is not None

    def layout_of(self, h: Hyper) -> Layout:
        """Return the layout that hyper-parameters ask for."""
        kind, axes = self.kind, None
        if h["agc"] is not None:
            axes = h["agc_axis"]
            if axes is None:
                raise ValueError(
                    "agc_axis: expected the axes to take norms over with agc (0 for "
                    "the columns of a matrix, 1 for its rows), found None"
                )
        if h["mechanic"] and not kind._takes_mechanic():
            raise ValueError(
                f"mechanic: expected False for {kind.__name__}, which finds its rate "
                "or makes the params anew in each step, found True; leave it out"
            )
        return Layout(
            kind._rule(h),
            kind._scale(h),
            tuple(kind._averages(h)),
            axes,
            h["clip_tensor_norm"] is not None,
            h["mechanic"],
        )

    def fold(self, h: Hyper) -> Folded:
        """Fold the hyper-parameters into what the driver takes.

        The rule goes with them, as a schedule's value does not change it.
        """
        kind, h = self.kind, {**h, "rule": self.rule}
        l2, decay = kind._decay(h)
        return Folded(
            kind._fold(h),
            h["lr"],
            decay,
            -1.0 if h["maximize"] else 1.0,
            l2,
            weights=self._weights(h) if self.averages else None,
            scale=kind._fold_scale(h) if self.scale else None,
            gauge=kind._fold_gauge(h) if kind._gauge else None,
            factor=kind._fold_factors(h) if kind._factoring else None,
            direct=kind._fold_directions(h) if kind._directed else None,
            tune=mechanic.fold(h) if self.layout.mechanic else None,
            clip_value=h["clip_value"] or 0.0,
            clip_norm=h["clip_tensor_norm"] or 0.0,
            agc=h["agc"] or 0.0,
            agc_eps=h["agc_eps"],
        )

    def _weights(self, h: Hyper) -> Weights:
        weights = tuple(self.kind._averages(h).values())
        if len(weights) == 1:
            (only,) = weights
            return lambda t: (only(t),)
        return lambda t: tuple([weight(t) for weight in weights])
