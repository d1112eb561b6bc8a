"""What every optimizer shares; a class adds defaults, a rule and its coefficients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import Signature, signature
from textwrap import fill, indent
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NoReturn, Self, TypedDict

import numpy as np

from lrcore import _check, _core, _tree
from lrcore._numbers import whole
from lrcore._typing import Array
from lrcore.optimizers import _average, _mechanic
from lrcore.optimizers._hyper import (
    Adapt,
    Coefs,
    Domains,
    GaugeCoefs,
    Hyper,
    ParamGroup,
    Part,
    Prepare,
    Weights,
    at,
    check,
    decay,
    scheduled,
    stateful_copies,
    stateful_heirs,
)
from lrcore.optimizers._memory import state_like
from lrcore.optimizers._report import Report, report

Scheduled = float | Callable[[int], float]
"""A number, or a schedule: any callable that takes the step and returns one."""

Betas = tuple[Scheduled, Scheduled] | Callable[[int], tuple[float, float]]


class Common(TypedDict, total=False):
    """Keywords of every optimizer."""

    l2: Scheduled
    maximize: bool
    decoupled_weight_decay: bool
    independent_weight_decay: bool
    ema_decay: Scheduled | None
    swa_start: int | None
    swa_every: int
    lookahead_steps: int | None
    lookahead_alpha: Scheduled
    mechanic: bool
    mechanic_s_init: float
    mechanic_decay: Scheduled
    grad_scale: Scheduled
    accumulate: int
    clip_value: Scheduled | None
    clip_tensor_norm: Scheduled | None
    agc: Scheduled | None
    agc_axis: int | tuple[int, ...] | None
    agc_eps: Scheduled
    clip_norm: Scheduled | None
    clip_eps: Scheduled
    skip_nonfinite: bool
    zero_grads: bool
    telemetry: bool
    convention: Literal["torch", "keras", "optax", "paper"]
    num_threads: int | None
    denormals: Literal["flush", "keep"]


# What a kernel takes too; averages, and Mechanic, which need arrays of their own; what
# treats gradients; and how the whole optimizer steps, whatever its groups.
TERMS: Common = {
    "l2": 0.0,
    "maximize": False,
    "decoupled_weight_decay": False,
    "independent_weight_decay": False,
}
AVERAGES: Common = {
    "ema_decay": None,
    "swa_start": None,
    "swa_every": 1,
    "lookahead_steps": None,
    "lookahead_alpha": 0.5,
}
MECHANIC: Common = {
    "mechanic": False,
    "mechanic_s_init": 1e-6,
    "mechanic_decay": 0.01,
}
CLIPS: Common = {
    "clip_value": None,
    "clip_tensor_norm": None,
    "agc": None,
    "agc_axis": None,
    "agc_eps": 1e-3,
}
OPTIONS: Common = {
    "grad_scale": 1.0,
    "accumulate": 1,
    "clip_norm": None,
    "clip_eps": 0.0,
    "skip_nonfinite": False,
    "zero_grads": False,
    "telemetry": False,
    "num_threads": None,
    "denormals": "flush",
}

# What docstrings have in common, where they say {params}, {common} and the like.
_PARAMS_DOC = """\
params : ndarray, nested list / tuple / dict of ndarray, or list of groups
        float32 or float64, C- or F-contiguous, writable, sharing no memory.  They are
        updated in place, so keep the arrays: ``params["W"] = params["W"] - ...`` is
        refused at the next step.  A group is a dict with the key ``"params"`` and
        hyper-parameters of its own."""
_COUPLED_DOC = """\
weight_decay : float or schedule
        Added to the gradient as ``weight_decay * p`` (an L2 penalty).  Default 0."""
_DECOUPLED_DOC = """\
weight_decay : float or schedule
        Each step multiplies p by ``1 - lr * weight_decay``.  Default {weight_decay}."""
_COMMON_DOC = """\
l2 : float or schedule
        L2 penalty, always coupled: added to the gradient as ``l2 * p``.  Default 0.
    maximize : bool
        Ascend instead of descend.  Default False.
    decoupled_weight_decay : bool
        Whether ``weight_decay`` multiplies p by ``1 - lr * weight_decay`` in each step
        (Loshchilov & Hutter 2019) or is an L2 penalty.  Default {decoupled}.
    independent_weight_decay : bool
        Whether a decoupled decay leaves lr out: ``1 - weight_decay``.  Default False.
    ema_decay : float, schedule or None
        Keep the exponential moving average ``ema``: after the first step it is p, then
        ``ema = ema_decay * ema + (1 - ema_decay) * p``.  Default None: none.
    swa_start, swa_every : int or None, int
        Keep ``swa``, the mean of p after step `swa_start` and each `swa_every` steps
        from there (Izmailov et al. 2018); until then it is p.  Default None, 1.
    lookahead_steps, lookahead_alpha : int or None, float or schedule
        Lookahead (Zhang et al. 2019, Algorithm 1): each `lookahead_steps` steps,
        ``slow = slow + lookahead_alpha (p - slow)``, ``p = slow``.  Default None, 0.5.
    mechanic, mechanic_s_init, mechanic_decay : bool, float, float or schedule
        Mechanic (Cutkosky, Defazio & Mehta 2023, Algorithm 1, as in optax): where the
        rule moves p by -u, ``delta = delta + u``, ``p = p0 - s delta``, where the scale
        s, of all arrays of a group (of Muon's: that its rule is for, and the others),
        is learned from mechanic_s_init on.  Set lr to 1, or let it fall from there: u
        passes through p, in whose rounding a smaller one is lost.  mechanic_decay draws
        p to 0.  ``report.lr`` is lr s.  It keeps two more arrays like p; not for an
        optimizer that finds its rate, FTRL or MADGRAD, and not advised for LARS and
        LAMB.  Default False, 1e-6, 0.01.
    grad_scale : float or schedule
        What gradients are multiplied by first: 1 / loss scale.  Default 1.
    accumulate : int
        Gather the gradients of so many calls of `step` and update with their mean in
        the last; the others return False.  Default 1.
    clip_value : float, schedule or None
        Clip each element of the gradients to [-clip_value, clip_value].  Default None.
    clip_tensor_norm : float, schedule or None
        Scale each array's gradient down to this norm at most.  Default None.
    agc, agc_axis, agc_eps : float, schedule or None; int or tuple of int; float
        Adaptive gradient clipping (Brock et al. 2021, eq. 3): scale the gradient g of
        each unit w down to the norm ``agc * max(|w|, agc_eps)``.  A unit's norm is
        taken over `agc_axis`, neighbouring axes, which have to be given (those that an
        array lacks are left out; one of at most one dimension is a unit): 0 for the
        columns of a matrix, (1, 2, 3) for the filters of a convolution that axis 0
        counts.  Default None: none; 1e-3.
    clip_norm, clip_eps : float, schedule or None; float
        Scale all gradients by ``min(1, clip_norm / (norm + clip_eps))``, with the norm
        of all of them (Pascanu et al. 2013); torch has 1e-6.  Default None, 0.
    skip_nonfinite : bool
        Where an element of a gradient is infinite or NaN, leave params, states and `t`
        as they are; `step` returns False.  Default False: it is not looked for, and a
        norm that is not finite clips nothing.
    zero_grads : bool
        Set the gradients to 0 once they have been used, or skipped.  Default False.
    telemetry : bool
        Keep `report`: norms, clipping, the update-to-weight ratio.  Default False.
    convention : {{{conventions}}}
{convention_notes}
    num_threads : int or None
        At most so many threads; None for ``lrcore.get_num_threads()``, the default.
    denormals : {{"flush", "keep"}}
        Whether numbers below the smallest normal one (1.2e-38 in float32) count as 0.
        The state of a weight whose gradient stays 0 decays into them, and many
        processors are slow there.  Default "flush".

    Attributes
    ----------
    lr : float
        The first group's learning rate at the next step; setting it sets all groups'.
    t : int
        Steps taken.
    grad_scale, clip_norm, skip_nonfinite, num_threads, ...
        As given; settable, as are a group's own by ``param_groups[0][name]``.
    report : Report or None
        The last step in numbers (`telemetry`).
    param_groups : tuple of ParamGroup
        Params and hyper-parameters of each group, to read and set by name.
    state : tuple of mapping
        The state arrays of each parameter, in the order of params: to look at.
    ema, swa, slow
        The averages asked for, of the same structure as params: to look at.  ``with
        opt.averaged():`` puts them into the params for a while.

    Raises
    ------
    TypeError, ValueError
        A parameter or hyper-parameter cannot be used; the message names it.

    Notes
    -----
    A schedule is any callable that takes the number of steps taken before, 0 for the
    first, and returns a number (betas: two): see ``lrcore.schedules``.

    Gradients are treated in the order of the parameters above: grad_scale, the mean of
    those gathered, clip_value, clip_tensor_norm, agc, clip_norm; then come weight decay
    and the rule."""


def _option(name: str, doc: str) -> Any:
    """Return the property of an option."""

    def get(self: Optimizer) -> Any:
        return self._options[name]

    def put(self: Optimizer, value: Any) -> None:
        if name == "accumulate" and self._plan.gathered:
            raise ValueError(
                f"accumulate: found {value!r} after {self._plan.gathered} of "
                f"{self.accumulate} gradients were gathered; set it after the update"
            )
        self._set_options({**self._options, name: check(name, value, self._domains)})

    return property(get, put, doc=doc)


class Optimizer:
    """What all optimizers share: params, groups, the step, saving and restoring.

    ::

        g' = +-g + l2 p;   u = rule(g', states);   p = (1 - lr weight_decay) p - lr u

    with the rule and the states of the class.
    """

    __slots__ = (
        "__weakref__",
        "_given",
        "_options",
        "_places",
        "_plan",
        "_tree",
        "param_groups",
        "state",
    )

    _PULLS: ClassVar[frozenset[str]] = _average.PULLS

    _decoupled: ClassVar[bool] = False
    """Whether weight_decay is decoupled where the caller does not say."""

    _staged: ClassVar[bool] = False
    """Whether something is made of the gradients before the step, in Python."""

    _carries: ClassVar[tuple[str, ...]] = ()
    """Numbers that a group carries from step to step: 0-d arrays of float64, among the
    states of its arrays, which share them.  (Mechanic's are one array.)"""

    _steps: ClassVar[bool] = True
    """Whether a step goes on from where the params are."""

    _sums_all: ClassVar[bool] = False
    """Whether the gauge's sums are of all groups."""

    _apart: ClassVar[bool] = False
    """Whether each array has such numbers of its own."""

    _gauge: ClassVar[str] = ""
    """The gauge of gauges.def from whose sums a step's numbers are made, or ""."""

    _flags: ClassVar[Hyper] = {}
    """Keyword-only hyper-parameters of the class, and their defaults."""

    _flags_doc: ClassVar[str] = ""
    """What the docstrings of the class and its children say of the flags."""

    _domains: ClassVar[Domains] = {}
    """Domains of hyper-parameters, where they are not the usual ones."""

    _conventions: ClassVar[Mapping[str, Hyper]] = {}
    """By library: the defaults and flags in which it is not the class's own."""

    def __init_subclass__(cls) -> None:
        notes = "".join(
            f"``{name}``: {', '.join(f'{k}={v!r}' for k, v in preset.items())}.  "
            for name, preset in cls._conventions.items()
            if preset
        )
        notes = fill(f"Whose defaults and flags to take.  {notes}Default torch.", 80)
        common = _COMMON_DOC.format(
            decoupled=cls._decoupled,
            conventions=", ".join(f'"{name}"' for name in cls._known_conventions()),
            convention_notes=indent(notes, " " * 8),
        )
        # Of __init__, as inspect would take __new__'s.
        own = [*signature(cls.__init__).parameters.values()][1:]
        cls.__signature__ = Signature(own)  # type: ignore[attr-defined] # for inspect
        weight_decay = next((p.default for p in own if p.name == "weight_decay"), 0)
        paragraphs = {
            "{params}": _PARAMS_DOC,
            "{coupled}": _COUPLED_DOC,
            "{decoupled}": _DECOUPLED_DOC.format(weight_decay=weight_decay),
            "{flags}": cls._flags_doc,
            "{common}": common,
        }
        for mark, text in paragraphs.items():
            cls.__doc__ = cls.__doc__ and cls.__doc__.replace(mark, text)

    _given: frozenset[str]
    """Names of the constructor's arguments that the caller gave."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        names = [*signature(cls).parameters][: len(args)]
        self._given = frozenset(names) | kwargs.keys()
        return self

    def __init__(self, params: Any, hyper: Hyper, common: Common) -> None:
        own: dict[str, Any] = {**common}
        options = {
            name: check(name, own.pop(name, default), self._domains)
            for name, default in OPTIONS.items()
        }
        preset = self._preset(own.pop("convention", "torch"), {**hyper, **own})
        defaults = {**hyper, **self._defaults()}
        _known(type(self).__name__, own, defaults, "convention", *OPTIONS)
        # A child's __init__ may give what its caller did not: no longer the default.
        defaults |= {
            name: value
            for name, value in preset.items()
            if name not in self._given
            and (name not in hyper or hyper[name] is self._default_of(name))
        }
        defaults |= own

        grouped = _is_groups(params)
        kinds = self._kinds()
        groups = []
        for index, group in enumerate(params if grouped else [{"params": params}]):
            own = {name: value for name, value in group.items() if name != "params"}
            _known(f"params[{index}]", own, defaults)
            owner = group if grouped else None
            hyper = {**defaults, **own}
            groups.append(ParamGroup(group["params"], hyper, kinds, owner))

        self.param_groups = tuple(groups)
        roots = [group.params for group in groups]
        self._tree = _tree.flatten(roots if grouped else roots[0], grouped=grouped)
        leaves = self._tree.leaves
        _check.params(self._tree)
        parts = [(i, part) for i, group in enumerate(groups) for part in group.parts]
        part_of = [
            leaf.group * len(kinds) + kinds.index(self._kind_of(leaf.array))
            for leaf in leaves
        ]
        units = [
            _check.units("params" + leaf.path, leaf.array, parts[part][1].layout.axes)
            for leaf, part in zip(leaves, part_of, strict=True)
        ]
        gathers = options["accumulate"] > 1
        shared = [self._new_numbers(part, groups[i].hyper) for i, part in parts]
        copied = [self._copied(part, groups[i].hyper) for i, part in parts]
        self.state = tuple(
            MappingProxyType(
                self._new_state(
                    leaf.array, *parts[part], gathers, copied[part], shared[part]
                )
            )
            for leaf, part in zip(leaves, part_of, strict=True)
        )
        copies = [
            [array for name, array in state.items() if name in copied[part]]
            for part, state in zip(part_of, self.state, strict=True)
        ]
        self._plan = _core.Plan(
            self._tree,
            self.param_groups,
            tuple(parts),
            part_of,
            self.state,
            units,
            copies,
        )
        self._set_options(options)
        self._places: dict[tuple[Any, ...], int] | None = None  # made where asked for

    @classmethod
    def _defaults(cls) -> Hyper:
        """Return the keyword-only hyper-parameters of the class and of all."""
        own = {"decoupled_weight_decay": cls._decoupled}
        return {**cls._flags, **TERMS, **AVERAGES, **MECHANIC, **CLIPS, **own}

    @classmethod
    def _default_of(cls, name: str) -> Any:
        """Return the default of an argument of __init__, or of the parent's."""
        for kind in cls.__mro__[:-1]:
            if argument := signature(kind).parameters.get(name):
                return argument.default
        return None

    @classmethod
    def _known_conventions(cls) -> list[str]:
        return ["torch", *(name for name in cls._conventions if name != "torch")]

    @classmethod
    def _preset(cls, convention: str, hyper: Hyper) -> Hyper:
        """Return the defaults and flags of a convention; hyper: what else was asked."""
        if convention not in cls._known_conventions():
            raise ValueError(
                f"convention: expected one of {cls._known_conventions()} "
                f"for {cls.__name__}, found {convention!r}"
            )
        return cls._conventions.get(convention, {})

    # --- what a class says ---------------------------------------------------------

    @classmethod
    def _kinds(cls) -> tuple[type[Optimizer], ...]:
        """Return the classes by whose rules arrays are stepped; its own first."""
        return (cls,)

    def _kind_of(self, p: Array) -> type[Optimizer]:
        """Return the class whose rule an array is stepped by."""
        return type(self)

    @staticmethod
    def _rule(h: Hyper) -> str:
        """Return the rule of rules.def that these hyper-parameters ask for."""
        raise NotImplementedError

    @staticmethod
    def _scale(h: Hyper) -> str:
        """Return the scale of scales.def, or ""."""
        return ""

    @staticmethod
    def _averages(h: Hyper) -> Mapping[str, _average.Weight]:
        """Return the averages of the params to keep, by name."""
        return _average.common(h)

    @staticmethod
    def _begins(h: Hyper) -> Mapping[str, int]:
        """Return the step from which an average is no longer p, where that is late."""
        return _average.begins(h)

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        """Return what states begin with where that is not 0; "p": a copy of p."""
        return {}

    @staticmethod
    def _decay(h: Hyper) -> tuple[float, float]:
        """Return l2 and the driver's decay."""
        return decay(h)

    @staticmethod
    def _fold(h: Hyper) -> Coefs | Adapt:
        """Return ``coefs(t, lr, decay)``, which gives the numbers of a step.

        Where the class carries numbers or has a gauge, ``coefs(t, lr, decay, numbers,
        sums)``, which gives what the numbers become, too, and the rate to report.
        """
        raise NotImplementedError

    @staticmethod
    def _fold_scale(h: Hyper) -> Weights | None:
        """Return ``coefs(t)`` of the scale."""
        return None

    @staticmethod
    def _fold_gauge(h: Hyper) -> GaugeCoefs | None:
        """Return ``coefs(t, lr, numbers)`` of the gauge."""
        return None

    @classmethod
    def _takes_mechanic(cls) -> bool:
        """Whether it makes steps to be scaled."""
        return cls._steps and not (cls._gauge or cls._carries)

    @staticmethod
    def _fold_mechanic(h: Hyper) -> _mechanic.Tune:
        """Return what learns the scale of the steps."""
        return _mechanic.fold(h)

    @staticmethod
    def _prepare(h: Hyper) -> Prepare | None:
        """Return what makes directions before the step, if anything."""
        return None

    @staticmethod
    def _own_state(p: Array, h: Hyper) -> dict[str, Array]:
        """Return the arrays of what is made beforehand, by name."""
        return {}

    def _new_state(
        self,
        p: Array,
        group: int,
        part: Part,
        gathers: bool,
        copied: set[str],
        shared: Mapping[str, Array],
    ) -> dict[str, Array]:
        """Return the arrays of a parameter, by name.

        copied: those that begin as copies of it; shared: what its group carries.
        """
        hyper = self.param_groups[group].hyper
        initial = part.kind._initial(hyper)
        scale = _core.SCALES[part.scale]
        state = {}
        for k, name in enumerate((*part.arrays, *part.averages)):
            first: float | Literal["p"] = initial.get(name, 0.0)
            state[name] = state_like(p, k, "p" if name in copied else first)
        if scale.emits:
            state[_core.SCRATCH] = state_like(p, len(state), 0.0)
        if gathers:
            state[_core.GATHERED] = state_like(p, len(state), 0.0)
        state |= {name: np.zeros(()).view() for name in scale.states}
        own = part.kind._own_state(p, hyper)
        numbers = self._new_numbers(part, hyper) if part.kind._apart else shared
        return {**own, **state, **numbers}

    @staticmethod
    def _copied(part: Part, h: Hyper) -> set[str]:
        """Return the states that begin as copies of the parameter."""
        own = {name for name, value in part.kind._initial(h).items() if value == "p"}
        mechanic = {_core.MECHANIC[1]} if part.layout.mechanic else set()
        return {*part.averages, *own, *mechanic}

    @staticmethod
    def _new_numbers(part: Part, h: Hyper) -> dict[str, Array]:
        """Return what a group carries, by name."""
        if part.layout.mechanic:
            return {_core.MECHANIC_NUMBERS: _mechanic.begin(h)}
        initial = part.kind._initial(h)
        return {
            name: np.full((), initial.get(name, 0.0)).view() for name in part.carries
        }

    @classmethod
    def _is_a_kernel(cls) -> bool:
        """Whether a step of one array is a kernel and the numbers of its t."""
        return not (cls._staged or cls._gauge or cls._carries)

    @classmethod
    def _states_of(cls, part: Part) -> tuple[tuple[str, ...], int]:
        """Return a part's state arrays by name, and their bytes a weight in float32."""
        scale = _core.SCALES[part.scale]
        alike = part.arrays + part.averages
        alike += (_core.SCRATCH,) if scale.emits else ()
        return alike + scale.states + cls._carries, 4 * len(alike)

    # --- how to run ----------------------------------------------------------------

    @property
    def t(self) -> int:
        """Steps taken."""
        return self._plan.t

    @t.setter
    def t(self, value: int) -> None:
        if self._plan.to_come:
            _check.unfinished(self._tree, self._plan.to_come)
        self._plan.t = whole("t", value, "an int >= 0", least=0)

    grad_scale = _option("grad_scale", "What gradients are multiplied by first.")
    accumulate = _option("accumulate", "How many gradients an update is the mean of.")
    clip_norm = _option("clip_norm", "The largest norm of all gradients, or None.")
    clip_eps = _option("clip_eps", "What is added to the norm that is clipped.")
    skip_nonfinite = _option(
        "skip_nonfinite", "Whether gradients that are not finite undo the step."
    )
    zero_grads = _option("zero_grads", "Whether a step sets the gradients to 0.")
    telemetry = _option("telemetry", "Whether a step leaves a report.")
    num_threads = _option(
        "num_threads",
        "At most so many threads a step; None for ``lrcore.get_num_threads()``.",
    )
    denormals = _option("denormals", '``"flush"`` or ``"keep"``.')

    def _set_options(self, options: Hyper) -> None:
        self._refuse_in_step()
        gathers = any(_core.GATHERED in state for state in self.state)
        if gathers != (options["accumulate"] > 1):
            raise ValueError(
                f"accumulate: found {options['accumulate']}, and this optimizer was "
                f"built {'to gather' if gathers else 'without arrays to gather in'}; "
                "construct one with it"
            )

        domains = self._domains

        def numbers(t: int) -> tuple[float, float, float]:
            scale, norm, eps = (
                at(name, options[name], t, domains) for name in _NUMBERS
            )
            return scale, norm or 0.0, eps

        changes = any(scheduled(options[name]) for name in _NUMBERS)
        self._plan.set_options(
            num_threads=check_num_threads(options["num_threads"]),
            keep_subnormals=check_denormals(options["denormals"]),
            skip_nonfinite=options["skip_nonfinite"],
            zero_grads=options["zero_grads"],
            accumulate=min(options["accumulate"], _MOST),
            telemetry=options["telemetry"],
            numbers=None if changes else numbers(0),
            scheduled=numbers if changes else None,
        )
        self._options = options

    @property
    def lr(self) -> float:
        """The first group's learning rate at the next step; setting it sets all."""
        return float(self.param_groups[0].at("lr", self.t))

    @lr.setter
    def lr(self, value: Scheduled) -> None:
        check("lr", value, self._domains)
        for group in self.param_groups:
            group["lr"] = value

    # --- the step ------------------------------------------------------------------

    def step(self, grads: Any) -> bool:
        """Update the params in place from their gradients.

        Parameters
        ----------
        grads : of the same structure as params
            Gradients of the same dtype, shape and memory order as their parameters,
            read, and zeroed where `zero_grads` says so.  With groups: a list with one
            structure a group.

        Returns
        -------
        bool
            True: the params were updated.  False: a gradient is not finite and such
            steps are skipped (`skip_nonfinite`), or more gradients are gathered first
            (`accumulate`).

        Raises
        ------
        TypeError, ValueError
            A gradient, a parameter or what a schedule returned cannot be used.  Nothing
            has been written then: not one parameter, not one state.
        RuntimeError
            It is in a step already, or `step_one` has begun one.
        """
        applied: bool = self._plan.step(grads)
        return applied

    def _step(
        self,
        grads: Any,
        loss: float | None,
        grad_scale: float = 1.0,
        skip_nonfinite: bool = False,
    ) -> bool:
        """Step, whether or not this optimizer takes the loss, with options on top."""
        applied: bool = self._plan.step(grads, grad_scale, skip_nonfinite)
        return applied

    def step_one(self, which: Any, grad: Array | None) -> bool:
        """Update one array, as a part of a step that ends when each has had its turn.

        For a backward pass that hands out gradients one layer at a time: the gradient
        is still in the cache, and need not be kept.  The arrays come in any order, each
        once; with the last of them `t` counts the step, and the arrays are what
        ``step`` would have made of them.

        Parameters
        ----------
        which : int, or a key of params, or a tuple of keys
            Its place in the order of params (as in `state`), or where it is: ``"W"``,
            ``("layers", 0)``.
        grad : ndarray or None
            Its gradient; None: it has none this time, and stays as it is, with its
            state and averages.  (What they do in a certain step only, the first or
            every k-th, they miss then; zeros are a gradient like others.)

        Returns
        -------
        bool
            Whether it was updated: False for None, and where `skip_nonfinite` left it.

        Raises
        ------
        TypeError, ValueError
            As of ``step``; it had its turn already; `clip_norm`, `accumulate`,
            `mechanic` or the optimizer (one that finds its rate by sums) needs the
            gradients of all.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> params = {"W": np.ones((2, 2)), "b": np.ones(2)}
        >>> opt = lrcore.SGD(params, lr=0.5)
        >>> opt.step_one("b", np.ones(2)), opt.t
        (True, 0)
        >>> opt.step_one("W", np.ones((2, 2))), opt.t
        (True, 1)
        """
        applied: bool = self._plan.step_one(self._index(which), grad)
        return applied

    def _index(self, which: Any) -> int:
        leaves = self._tree.leaves
        if isinstance(which, int) and not isinstance(which, bool):
            if -len(leaves) <= which < len(leaves):
                return which % len(leaves)
        else:
            keys = which if isinstance(which, tuple) else (which,)
            if self._places is None:
                self._places = _tree.places(self._tree)
            if (found := self._places.get(keys)) is not None:
                return found
        raise ValueError(
            f"which: expected an int below {len(leaves)} or the keys of one of "
            f"{', '.join('params' + leaf.path for leaf in leaves)}, found {which!r}"
        )

    # --- telemetry -----------------------------------------------------------------

    @property
    def report(self) -> Report | None:
        """The last step in numbers (`telemetry`); None before the first."""
        return self._report(0, range(len(self.state)))

    def reports(self, per: Literal["group", "tensor"]) -> Any:
        """Return the report of each group, as a tuple, or of each array, by its path.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> params = {"W": np.ones((2, 2)), "b": np.ones(2)}
        >>> opt = lrcore.SGD(params, lr=0.5, telemetry=True)
        >>> opt.step({"W": np.zeros((2, 2)), "b": np.array([3.0, 4.0])})
        True
        >>> opt.reports("tensor")["['b']"].grad_norm
        5.0
        """
        leaves = self._tree.leaves
        if per == "tensor":
            return {
                leaf.path: self._report(leaf.group, [i])
                for i, leaf in enumerate(leaves)
            }
        if per != "group":
            raise ValueError(f'per: expected "group" or "tensor", found {per!r}')
        return tuple(
            self._report(
                index, [i for i, leaf in enumerate(leaves) if leaf.group == index]
            )
            for index in range(len(self.param_groups))
        )

    def _report(self, group: int, leaves: Sequence[int]) -> Report | None:
        if not self.telemetry:
            raise AttributeError(
                f"no report is kept; construct {type(self).__name__} with "
                "telemetry=True"
            )
        self._refuse_in_step()
        if not self._plan.reported:
            return None
        lr = self._plan.reported_rates[group]
        return report(self.t, self._plan.applied, lr, self._plan.report_of(leaves))

    # --- averages ------------------------------------------------------------------

    @property
    def ema(self) -> Any:
        """The exponential moving average of the params (``ema_decay``)."""
        return self._average("ema")

    @property
    def swa(self) -> Any:
        """The stochastic weight average of the params (``swa_start``)."""
        return self._average("swa")

    @property
    def slow(self) -> Any:
        """Lookahead's slow weights (``lookahead_steps``)."""
        return self._average("slow")

    def _kept(self) -> set[str]:
        """Return the names of the averages that a group has."""
        groups = self.param_groups
        return {a for group in groups for part in group.parts for a in part.averages}

    def _average(self, name: str) -> Any:
        """Return an average in the structure of params; p where a group has none."""
        if name not in self._kept():
            raise AttributeError(
                f"no {name} is kept; construct {type(self).__name__} with "
                f"{_average.ASKED_BY.get(name, name)}"
            )
        return _tree.rebuild(self._tree, [a for _, a in self._with_average(name)])

    def _with_average(self, name: str) -> list[tuple[Array, Array]]:
        """Return each parameter with its average, or itself where it has none yet."""
        begins = [
            group.parts[0].kind._begins(group.hyper).get(name, 0)
            for group in self.param_groups
        ]
        return [
            (
                p.array,
                state[name] if name in state and self.t >= begins[p.group] else p.array,
            )
            for p, state in zip(self._tree.leaves, self.state, strict=True)
        ]

    @contextmanager
    def averaged(self, name: str | None = None) -> Iterator[None]:
        """Put an average into the params, and the params back at the end.

        Parameters
        ----------
        name : {"ema", "swa", "slow"}, optional
            Which; where the optimizer keeps one, it need not be said.

        Raises
        ------
        AttributeError, ValueError
            There is no such average, or several and no name.
        RuntimeError
            In the block: step, state_dict and load_state_dict.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> p = np.zeros(1)
        >>> opt = lrcore.SGD(p, lr=1.0, ema_decay=0.5)
        >>> opt.step(np.ones(1)), opt.step(np.ones(1))
        (True, True)
        >>> with opt.averaged():
        ...     print(p)
        [-1.5]
        >>> p
        array([-2.])
        """
        kept = self._kept()
        if name is None:
            if len(kept) > 1:
                raise ValueError(f"name: expected one of {sorted(kept)}, found None")
            name = next(iter(kept), "ema")
        self._average(name)
        self._refuse_in_step()
        pairs = [(p, a) for p, a in self._with_average(name) if a is not p]
        for leaf in self._tree.leaves:
            _check.writable("params" + leaf.path, leaf.array)
        self._plan.busy = (
            "this optimizer's params are lent to `with opt.averaged()`; do it after "
            "that block"
        )
        swapped = []
        try:
            for pair in pairs:
                _swap(*pair)
                swapped.append(pair)
            yield
        finally:
            for pair in swapped:
                _swap(*pair)
            self._plan.busy = None

    # --- saving and restoring ------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return copies of all that the next steps depend on, except the params.

        Keep your params beside it: ``pickle.dump((params, opt.state_dict()), file)``.
        (A schedule is kept as it is, and pickles if it can; of one that has a state, as
        `ReduceOnPlateau`, a copy is kept.)

        Returns
        -------
        dict
            ``version`` (of the layout), ``optimizer`` (the class), ``t``, ``gathered``
            (gradients since), ``options``, ``param_groups`` (a dict of hyper-parameters
            a group), ``names`` and ``state`` (of each array, in the order of params).
        """
        self._refuse_in_step()
        if self._plan.to_come:
            _check.unfinished(self._tree, self._plan.to_come)
        options, *groups = stateful_copies(self._saved_sets())
        return {
            "version": _VERSION,
            "optimizer": type(self).__name__,
            "t": self.t,
            "gathered": self._plan.gathered,
            "options": options,
            "param_groups": groups,
            "names": [leaf.path for leaf in self._tree.leaves],
            "state": [
                {name: state[name].copy() for name in _kept_arrays(state)}
                for state in self.state
            ],
        }

    def _saved_sets(self) -> list[Hyper]:
        """Return the options that are saved, and the hyper-parameters of each group."""
        options = {name: self._options[name] for name in _SAVED}
        return [options, *(group.hyper for group in self.param_groups)]

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue where the optimizer that gave this ``state_dict()`` was.

        Replaces the step count, the state arrays, all hyper-parameters, schedules
        included, and the options that change results.  A schedule that has a state, as
        `ReduceOnPlateau`, is not replaced where there is one already: that object takes
        the saved state and configuration over.  The params are yours to restore, in
        place: ``p[...] = saved``.

        Raises
        ------
        KeyError, TypeError, ValueError
            It does not belong to such an optimizer of such params.  Nothing has been
            changed then.
        """
        self._refuse_in_step()
        if not isinstance(saved, Mapping):
            raise TypeError(f"saved: expected a state_dict(), found {saved!r}")
        if missing := [key for key in _ENTRIES if key not in saved]:
            raise ValueError(f"saved: expected a state_dict(), found none of {missing}")
        if saved["version"] != _VERSION:
            raise ValueError(
                f"version: expected {_VERSION}, found {saved['version']!r}, which "
                "another version of lrcore has saved"
            )
        if saved["optimizer"] != type(self).__name__:
            raise ValueError(
                f"optimizer: expected the state of {type(self).__name__}, "
                f"found that of {saved['optimizer']}"
            )
        t = whole("t", saved["t"], "an int >= 0", least=0)
        given = saved["options"]
        if not isinstance(given, Mapping) or given.keys() != set(_SAVED):
            raise ValueError(f"options: expected {list(_SAVED)}, found {_keys(given)}")
        options = {name: check(name, given[name], self._domains) for name in _SAVED}
        gathered = whole("gathered", saved["gathered"], "an int >= 0", least=0)
        if gathered >= options["accumulate"]:
            raise ValueError(
                f"gathered: expected less than accumulate = {options['accumulate']}, "
                f"found {gathered}"
            )
        names = [leaf.path for leaf in self._tree.leaves]
        if list(saved["names"]) != names:
            raise ValueError(f"names: expected {names}, found {saved['names']}")
        if len(saved["state"]) != len(names):
            raise ValueError(
                f"state: expected {len(names)} entries, found {len(saved['state'])}"
            )
        for leaf, own, new in zip(
            self._tree.leaves, self.state, saved["state"], strict=True
        ):
            wanted_keys = set(_kept_arrays(own))
            if not isinstance(new, Mapping) or wanted_keys != new.keys():
                raise ValueError(
                    f"state of params{leaf.path}: "
                    f"expected arrays {sorted(wanted_keys)}, found {_keys(new)}"
                )
            for name in new:
                array = own[name]
                where = f"state of params{leaf.path}: {name}"
                if not array.flags.writeable:
                    raise ValueError(f"{where} is read-only")
                _check.state(where, new[name], array)
        if len(saved["param_groups"]) != len(self.param_groups):
            raise ValueError(
                f"param_groups: expected {len(self.param_groups)}, "
                f"found {len(saved['param_groups'])}"
            )
        groups = list(zip(self.param_groups, saved["param_groups"], strict=True))
        hypers = [group.checked(new) for group, new in groups]
        # Copied before anything is written: they may be views of each other.
        copies = [{name: new[name].copy() for name in new} for new in saved["state"]]
        (options, *hypers), takes = stateful_heirs(
            self._saved_sets(), [options, *hypers]
        )

        self._set_options({**self._options, **options})  # which may refuse them
        for own_schedule, new_schedule in takes:
            own_schedule._take(new_schedule)
        self._plan.restart(t, gathered)
        for group, hyper in zip(self.param_groups, hypers, strict=True):
            group.replace(hyper)
        for own, new in zip(self.state, copies, strict=True):
            for name, array in new.items():
                own[name][...] = array

    def _refuse_in_step(self) -> None:
        if self._plan.busy is not None:
            raise RuntimeError(self._plan.busy)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an optimizer belongs to the arrays it updates and cannot be copied; "
            "copy or pickle (params, opt.state_dict()) and construct one from them"
        )

    def __repr__(self) -> str:
        arrays = [leaf.array for leaf in self._tree.leaves]
        elements = sum(array.size for array in arrays)
        groups = ", ".join(map(repr, self.param_groups))
        return (
            f"<{type(self).__name__} of {elements:,} elements in {len(arrays)} arrays, "
            f"t={self.t}: {groups}>"
        )


_MOST = 2**31 - 1
"""The largest int of the C core."""

_VERSION = 1
"""Of state_dict()'s layout."""

_ENTRIES = (
    *("version", "optimizer", "t", "gathered", "options", "param_groups", "names"),
    "state",
)
_NUMBERS = ("grad_scale", "clip_norm", "clip_eps")
_SAVED = (*_NUMBERS, "accumulate", "skip_nonfinite", "denormals")


def _kept_arrays(state: Mapping[str, Array]) -> list[str]:
    return [name for name in state if name != _core.SCRATCH]


def _swap(p: Array, a: Array) -> None:
    p[...], a[...] = a.copy(), p.copy()


def _keys(mapping: Any) -> Any:
    return list(mapping) if isinstance(mapping, Mapping) else mapping


def _known(
    what: str, given: Mapping[str, Any], known: Mapping[str, Any], *extra: str
) -> None:
    if unknown := given.keys() - known.keys():
        raise TypeError(
            f"{what}: unexpected keyword {min(unknown)!r}; there are "
            f"{', '.join([*known, *extra])}"
        )


def _is_groups(params: Any) -> bool:
    """Whether params is a list of dicts that each have the key "params"."""
    if isinstance(params, dict) and "params" in params and "lr" in params:
        raise TypeError("params: found one group; groups come in a list: [{...}]")
    if not isinstance(params, (list, tuple)) or not params:
        return False
    marked = [isinstance(group, dict) and "params" in group for group in params]
    if any(marked) and not all(marked):
        raise TypeError(
            f"params[{marked.index(False)}]: expected a group (a dict with the key "
            "'params'), as another entry is"
        )
    return all(marked)


def check_num_threads(n: int | None) -> int:
    """Return the number that the kernels take for it, 0 for None."""
    return min(check("num_threads", n, {}) or 0, _MOST)


def check_denormals(what: str) -> bool:
    """Return whether subnormals are kept."""
    return bool(check("denormals", what, {}) == "keep")
