"""Hyper-parameters: their domains, the values that schedules give them, and groups."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple, Self

from lrcore._core import GAUGES, MECHANIC, MECHANIC_NUMBERS, RULES, Folded
from lrcore._numbers import real, whole

Hyper = dict[str, Any]
"""Hyper-parameters by name."""


class Domain(NamedTuple):
    """Which numbers a hyper-parameter may be, and how to say so."""

    holds: Callable[[float], bool]
    text: str
    optional: bool = False  # or None
    fixed: bool = False  # not for a schedule
    least: int | None = None  # a whole number, at least this
    choices: tuple[str, ...] = ()  # or one of these
    axes: bool = False  # or axes of an array

    @property
    def real(self) -> bool:
        """Whether its numbers are floats."""
        return self.least is None and not self.choices and not self.axes

    def or_none(self) -> Domain:
        """Return the domain with None."""
        return self._replace(text=self.text + " or None", optional=True)


FINITE = Domain(math.isfinite, "a finite number")
NONNEGATIVE = Domain(lambda x: 0 <= x < math.inf, "a finite number >= 0")
POSITIVE = Domain(lambda x: 0 < x < math.inf, "a finite number > 0")
FRACTION = Domain(lambda x: 0 <= x < 1, "a number in [0, 1)")
GROWTH = Domain(lambda x: x >= 1, "a number >= 1")
ABOVE_ONE = Domain(lambda x: 1 < x < math.inf, "a finite number > 1")


def count(least: int) -> Domain:
    """Return the domain of whole numbers from `least` on; never scheduled."""
    return Domain(lambda n: n >= least, f"an int >= {least}", fixed=True, least=least)


def choice(*names: str) -> Domain:
    """Return the domain of one of these strings."""
    text = "one of " + ", ".join(map(repr, names))
    return Domain(lambda _: True, text, fixed=True, choices=names)


AXES = Domain(
    lambda _: True, "an int or a tuple of them", fixed=True, optional=True, axes=True
)

Domains = Mapping[str, Domain | tuple[Domain, ...]]

# By name, as names mean the same on every optimizer; a class may say otherwise.  A
# tuple: one domain an element.  What is not listed is a flag.
_DOMAINS: Domains = {
    "lr": NONNEGATIVE,
    "weight_decay": NONNEGATIVE,
    "l2": NONNEGATIVE,
    "eps": NONNEGATIVE,
    "eps_root": NONNEGATIVE,
    "betas": (FRACTION, FRACTION),
    "etas": (FRACTION, ABOVE_ONE),
    "step_sizes": (NONNEGATIVE, NONNEGATIVE),
    "momentum": NONNEGATIVE,
    "dampening": FINITE,
    "alpha": FRACTION,
    "rho": FRACTION,
    "lr_decay": NONNEGATIVE,
    "initial_accumulator_value": NONNEGATIVE,
    "ema_decay": FRACTION.or_none(),
    "swa_start": count(0).or_none(),
    "swa_every": count(1),
    "lookahead_steps": count(1).or_none(),
    "mechanic_s_init": POSITIVE,
    "mechanic_decay": NONNEGATIVE,
    "lookahead_alpha": Domain(lambda x: 0 < x <= 1, "a number in (0, 1]"),
    "clip_value": POSITIVE.or_none(),
    "clip_tensor_norm": POSITIVE.or_none(),
    "agc": POSITIVE.or_none(),
    "agc_axis": AXES,
    "agc_eps": POSITIVE,
    "clip_norm": POSITIVE.or_none(),
    "clip_eps": NONNEGATIVE,
    "grad_scale": POSITIVE,
    "accumulate": count(1),
    "num_threads": count(1).or_none(),
    "denormals": choice("flush", "keep"),
}


# Used at construction only: neither scheduled nor set.
AT_CONSTRUCTION = frozenset({"initial_accumulator_value", "d0", "mechanic_s_init"})


def check(name: str, value: Any, domains: Domains) -> Any:
    """Return the value as a float, an int, a tuple of floats, None or a bool.

    Schedules pass unchanged: what they return is checked at each step.

    domains: those of the class, where they are not the usual ones.

    Raises
    ------
    TypeError, ValueError
        It is of another kind, or outside of the hyper-parameter's domain.
    """
    domain = domains.get(name) or _DOMAINS.get(name)
    if domain is None:
        return _flag(name, value)
    if isinstance(domain, Domain):
        # What a schedule returns at each step, sooner said.
        if type(value) is float and domain.real and domain.holds(value):
            return value
        return number(name, value, domain)
    if _is_schedule(value):
        return value
    try:
        values = tuple(value)
    except TypeError:
        values = ()
    if len(values) != len(domain):
        raise ValueError(f"{name}: expected {len(domain)} numbers, found {value!r}")
    return tuple(
        number(f"{name}[{i}]", v, d)
        for i, (v, d) in enumerate(zip(values, domain, strict=True))
    )


def _is_schedule(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)


def number(name: str, value: Any, domain: Domain) -> Any:
    """Return the value as a number of a domain: `check` of one by itself."""
    if domain.axes:
        return _axes(name, value, domain)
    if domain.choices:
        if value not in domain.choices:
            raise ValueError(f"{name}: expected {domain.text}, found {value!r}")
        return value
    fixed = domain.fixed or name in AT_CONSTRUCTION
    if (value is None and domain.optional) or (_is_schedule(value) and not fixed):
        return value
    wanted = domain.text + ("" if fixed else ", or a schedule")
    if domain.least is not None:
        return whole(name, value, wanted, least=domain.least)
    x = real(name, value, wanted)
    if not domain.holds(x):
        raise ValueError(f"{name}: expected {domain.text}, found {value!r}")
    return x


def _axes(name: str, value: Any, domain: Domain) -> tuple[int, ...] | None:
    if value is None:
        return None
    least = -(2**31)
    axes = value if isinstance(value, (tuple, list)) and value else (value,)
    return tuple(whole(name, axis, domain.text, least=least) for axis in axes)


def _flag(name: str, value: Any) -> bool:
    if value not in (True, False):
        raise TypeError(f"{name}: expected True or False, found {value!r}")
    return bool(value)


def scheduled(value: Any) -> bool:
    """Whether a value, or an element of it, depends on the step."""
    return callable(value) or (isinstance(value, tuple) and any(map(callable, value)))


class StatefulSchedule(ABC):
    """A schedule that changes between steps: saved and restored with an optimizer."""

    __slots__ = ()

    @abstractmethod
    def _copy(self) -> Self:
        """Return one that what becomes of this one does not change."""

    @abstractmethod
    def _take(self, other: Self) -> None:
        """Become what the other is; it cannot fail."""

    @abstractmethod
    def _scale_by(self, factor: float) -> None:
        """Multiply what it gives from now on."""


def stateful_copies(sets: Sequence[Mapping[str, Any]]) -> list[Hyper]:
    """Copy sets of hyper-parameters with their stateful schedules, one for one."""
    copies: dict[int, StatefulSchedule] = {}

    def copy(value: Any) -> Any:
        if not isinstance(value, StatefulSchedule):
            return value
        return copies.setdefault(id(value), value._copy())

    return [{name: _each(value, copy) for name, value in h.items()} for h in sets]


def stateful_heirs(
    own: Sequence[Mapping[str, Any]], saved: Sequence[Mapping[str, Any]]
) -> tuple[list[Hyper], list[tuple[StatefulSchedule, StatefulSchedule]]]:
    """Return the saved sets with what takes their stateful schedules' places.

    That is the object at the same place of our own sets, where it is of the same kind
    and does not stand for another one, or else a copy.  What is one object in the saved
    sets is one again.  The pairs are (object, what it is to take).
    """
    heirs: dict[int, StatefulSchedule] = {}
    takes: list[tuple[StatefulSchedule, StatefulSchedule]] = []
    for mine, theirs in zip(own, saved, strict=True):
        for name, value in theirs.items():
            for old, new in zip(_elements(mine[name]), _elements(value), strict=False):
                if not isinstance(new, StatefulSchedule) or id(new) in heirs:
                    continue
                if type(old) is type(new) and all(old is not o for o, _ in takes):
                    heirs[id(new)] = old
                    takes.append((old, new))
    # Copies come last: an object further on may still be the heir.
    copies = {
        id(new): new._copy()
        for theirs in saved
        for value in theirs.values()
        for new in _elements(value)
        if isinstance(new, StatefulSchedule) and id(new) not in heirs
    }
    heirs |= copies

    def heir(value: Any) -> Any:
        return heirs.get(id(value), value)

    inherited = [{n: _each(value, heir) for n, value in h.items()} for h in saved]
    return inherited, takes


def _elements(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _each(value: Any, f: Callable[[Any], Any]) -> Any:
    return tuple(map(f, value)) if isinstance(value, tuple) else f(value)


def at(name: str, value: Any, t: int, domains: Domains) -> Any:
    """Return what a hyper-parameter is in the step that follows t others, checked."""
    if not scheduled(value):
        return value
    now = check(name, _at(value, t), domains)
    if now is None or scheduled(now):
        raise TypeError(
            f"{name}: expected its schedule to return numbers, found {now!r}"
        )
    return now


def _at(value: Any, t: int) -> Any:
    if callable(value):
        return value(t)
    return tuple(_at(v, t) for v in value) if isinstance(value, tuple) else value


Coefs = Callable[[int, float, float], tuple[float, ...]]
"""From the step, counted from 1, its learning rate and its decay of p: the driver's
decay and lr, and the rule's own coefficients."""

Numbers = tuple[float, ...]

Adapt = Callable[[int, float, float, Numbers, Numbers], tuple[Numbers, Numbers, float]]
"""The same where a group carries numbers from step to step: from these and the sums of
its gauge also; and to what they become, what Coefs gives, and the rate to report."""

GaugeCoefs = Callable[[int, float, Numbers], Numbers]
"""From the step, counted from 1, its learning rate and the numbers carried to the
coefficients of the gauge."""

Weights = Callable[[int], tuple[float, ...]]
"""From the step, counted from 1, to the coefficients of averages, or of a scale."""

Prepare = Callable[[int, list[Any], tuple[int, bool]], tuple[list[Any], list[Any]]]
"""From the step, from 1, (p, g, state) of each array, and the number of threads with
whether to keep subnormals; to what is stepped in the place of g, and to (array, value)
pairs to be written then."""


def decay(h: Hyper) -> tuple[float, float]:
    """Return l2 and the factor of p that weight decay comes to."""
    if not h["decoupled_weight_decay"]:
        return h["l2"] + h["weight_decay"], 1.0
    return h["l2"], decay_at(h)(h["lr"])


def decay_at(h: Hyper) -> Callable[[float], float]:
    """Return what decoupled weight decay multiplies p by, from the rate of a step."""
    weight_decay = h["weight_decay"] if h["decoupled_weight_decay"] else 0.0
    if h["independent_weight_decay"]:
        return lambda rate: 1.0 - weight_decay
    return lambda rate: 1.0 - rate * weight_decay


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

    def __init__(self, kind: Any, hyper: Hyper) -> None:
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
        gauge: str = "along_delta" if self.layout.mechanic else self.kind._gauge
        return gauge

    @property
    def carries(self) -> tuple[str, ...]:
        """Names of what its arrays have in common, and carry from step to step."""
        own: tuple[str, ...] = self.kind._carries
        return (MECHANIC_NUMBERS,) if self.layout.mechanic else own

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
    def alone(self) -> bool:
        """Whether each array takes numbers of its own."""
        layout = self.layout
        apart = bool(layout.scale) or self.kind._apart
        return apart or layout.tensor_norm or layout.axes is not None

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
            prepare=kind._prepare(h) if kind._staged else None,
            tune=kind._fold_mechanic(h) if self.layout.mechanic else None,
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


class ParamGroup(MutableMapping[str, Any]):
    """A group's params and hyper-parameters, as a mapping that checks what is set.

    ``group["lr"] = 0.1`` takes effect at the next step; ``group["params"]`` is what was
    given.  Made by the optimizer.  What decides which state arrays there are
    (``amsgrad``, whether there is a momentum) stays as constructed.
    """

    __slots__ = ("_hyper", "_kind", "_scheduled", "owner", "params", "parts")

    # Two groups are the same where they are one: comparing params would ask arrays.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self,
        params: Any,
        hyper: Hyper,
        kinds: Sequence[Any],
        owner: dict[str, Any] | None,
    ) -> None:
        self.params = params
        self.owner = owner  # the user's dict, where params came in one
        self._kind = kinds[0]
        self._hyper = {name: self._check(name, value) for name, value in hyper.items()}
        self.parts = tuple(Part(kind, self._hyper) for kind in kinds)
        self.replace(self._hyper)

    def _check(self, name: str, value: Any) -> Any:
        return check(name, value, self._kind._domains)

    @property
    def hyper(self) -> Hyper:
        """A copy of the hyper-parameters as set, schedules as such."""
        return dict(self._hyper)

    def checked(self, hyper: Mapping[str, Any]) -> Hyper:
        """Check a whole set of hyper-parameters for this group."""
        if not isinstance(hyper, Mapping) or hyper.keys() != self._hyper.keys():
            raise ValueError(
                f"param_groups: expected {list(self._hyper)}, found {hyper!r}"
            )
        new = {name: self._check(name, value) for name, value in hyper.items()}
        self._keeps_layout(new, "param_groups")
        self._folded(new)
        return new

    def _folded(self, hyper: Hyper) -> list[Folded | None]:
        """Return each part's numbers; None where something is scheduled."""
        if any(map(scheduled, hyper.values())):
            return [None] * len(self.parts)
        return [part.fold(hyper) for part in self.parts]

    def _keeps_layout(self, hyper: Hyper, what: str) -> None:
        for part in self.parts:
            asked = part.layout_of(hyper)
            if asked != part.layout:
                raise ValueError(
                    f"{what}: asks for the states of {asked}, and this optimizer was "
                    f"built with those of {part.layout}; construct one with it"
                )

    def replace(self, hyper: Hyper) -> None:
        """Set what ``checked`` has passed."""
        folded = self._folded(hyper)  # which may refuse it
        self._hyper = hyper
        self._scheduled = [name for name, v in hyper.items() if scheduled(v)]
        for part, numbers in zip(self.parts, folded, strict=True):
            part.folded = numbers

    def __getitem__(self, name: str) -> Any:
        return self.params if name == "params" else self._hyper[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._hyper:
            raise KeyError(f"{name}: no hyper-parameter; there are {list(self._hyper)}")
        if name in AT_CONSTRUCTION:
            raise ValueError(f"{name}: used at construction only; it cannot be set now")
        hyper = {**self._hyper, name: self._check(name, value)}
        self._keeps_layout(hyper, name)
        self.replace(hyper)

    def __delitem__(self, name: str) -> None:
        raise TypeError("a group's hyper-parameters cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        yield "params"
        yield from self._hyper

    def __len__(self) -> int:
        return 1 + len(self._hyper)

    def __repr__(self) -> str:
        return f"ParamGroup({', '.join(f'{k}={v!r}' for k, v in self._hyper.items())})"

    def at(self, name: str, t: int) -> Any:
        """Return a hyper-parameter's value for the step that follows t others."""
        return at(name, self._hyper[name], t, self._kind._domains)

    def hyper_at(self, t: int) -> Hyper:
        """Return all hyper-parameters for the step that follows t others."""
        return {**self._hyper, **{name: self.at(name, t) for name in self._scheduled}}
