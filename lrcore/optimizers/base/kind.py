"""The definition of an optimizer class: its rule, its arrays, its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, dataclass_transform

from lrcore._shared.types import Array
from lrcore._shared.words import shortened, shown
from lrcore.optimizers.base import averages
from lrcore.optimizers.base.fields import Fields, collected
from lrcore.optimizers.base.fold import (
    Adapt,
    Coefs,
    Decay,
    Direct,
    GaugeCoefs,
    Weights,
    decay,
)
from lrcore.optimizers.base.keywords import Hyper, bound


@dataclass_transform(eq_default=False)
class Kind:
    """The update of arrays, as the class of an optimizer or of a part defines it.

    Methods that take `h`, hyper-parameters by name, depend on nothing else.  If
    some are scheduled, h is one dict whose values change from step to step.  If the
    method reads such a value, it is called again in each step; if the function that it
    returned reads the value, that function finds the current one.
    """

    __slots__ = ()

    _PULLS: ClassVar[frozenset[str]] = averages.PULLS
    """The averages that are copied into the params."""

    _rule: ClassVar[str]
    """The rule of rules.def, unless hyper-parameters choose it (`_rule_for`)."""

    _scale: ClassVar[str] = ""
    """The scale of scales.def, or ""."""

    _factoring: ClassVar[str] = ""
    """How second moments are factored: "product" or "least" (see plan.h); or ""."""

    _directed: ClassVar[bool] = False
    """Whether Python replaces the rule's directions by others, made of whole arrays."""

    _carries: ClassVar[tuple[str, ...]] = ()
    """Numbers that a group carries from step to step: 0-d arrays of float64, among the
    states of its arrays, which share them.  (Mechanic's are one array.)"""

    _nonnegative: ClassVar[tuple[str, ...]] = ()
    """The carried numbers that no step makes negative; rules.def says it of states."""

    _steps: ClassVar[bool] = True
    """Whether a step starts from the current params."""

    _projects: ClassVar[bool] = True
    """Whether the caller may change the params between steps (`project`)."""

    _sums_all: ClassVar[bool] = False
    """Whether the sums of the gauge are over all groups."""

    _carries_per_array: ClassVar[bool] = False
    """Whether each array has its own carried numbers."""

    _gauge: ClassVar[str] = ""
    """The gauge of gauges.def whose sums determine the numbers of a step, or ""."""

    _fields: ClassVar[Fields] = {}
    """The hyper-parameters and options, by name."""

    _positional: ClassVar[tuple[str, ...]] = ()
    """The names of the positional arguments of the constructor, in order."""

    _conventions: ClassVar[tuple[str, ...]] = ()
    """The conventions besides torch; the fields hold their defaults and flags."""

    def __init_subclass__(cls) -> None:
        cls._fields, cls._positional = collected(cls)

    @classmethod
    def _defaults(cls) -> Hyper:
        """Return the hyper-parameters of a group by default."""
        return {
            name: field.default
            for name, field in cls._fields.items()
            if not field.of_all
        }

    # --- conventions -----------------------------------------------------------------

    @classmethod
    def _known_conventions(cls) -> list[str]:
        return ["torch", *cls._conventions]

    @classmethod
    def _preset(cls, convention: str, hyper: Hyper) -> Hyper:
        """Return the defaults and flags of a convention; hyper: the other arguments."""
        known = cls._known_conventions()
        if not isinstance(convention, str) or convention not in known:
            raise ValueError(
                f"convention: expected one of {known} "
                f"for {shortened(cls.__name__)}, found {shown(convention)}"
            )
        return {
            name: field.presets[convention]
            for name, field in cls._fields.items()
            if convention in field.presets
        }

    @classmethod
    def _settled(cls, given: Hyper) -> Hyper:
        """Return each value: the given one, the convention's, or the default."""
        defaults = {name: field.default for name, field in cls._fields.items()}
        preset = cls._preset(given.get("convention", "torch"), {**defaults, **given})
        return {**defaults, **preset, **given}

    @classmethod
    def _bound(cls, args: Sequence[Any], given: Hyper) -> tuple[Hyper, Hyper]:
        """Return the hyper-parameters of a group, and the checked options.

        args, given : the arguments of the constructor after the params.
        """
        fields = cls._fields
        values = bound(cls.__name__, fields, cls._positional, args, given)
        values = cls._settled(values)
        options = {
            name: field.check(values.pop(name))
            for name, field in fields.items()
            if field.of_all
        }
        return values, options

    # --- rule, arrays and numbers --------------------------------------------------

    @classmethod
    def _kinds(cls) -> tuple[type[Kind], ...]:
        """Return the classes whose rules update arrays; its own first."""
        return (cls,)

    @classmethod
    def _kind_of(cls, p: Array) -> type[Kind]:
        """Return the class whose rule updates an array."""
        return cls

    @classmethod
    def _rule_for(cls, h: Hyper) -> str:
        """Return the rule for these hyper-parameters."""
        return cls._rule

    @staticmethod
    def _averages(h: Hyper) -> Mapping[str, averages.Weight]:
        """Return the averages of the params to keep, by name."""
        return averages.common(h)

    @staticmethod
    def _begins(h: Hyper) -> Mapping[str, int]:
        """Return the first step of each average that starts late."""
        return averages.begins(h)

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        """Return the initial values of states, if not 0; "p": a copy of p."""
        return {}

    @staticmethod
    def _decay(h: Hyper) -> tuple[float, Decay]:
        """Return l2, and the function from lr to the driver's decay."""
        return decay(h)

    @staticmethod
    def _fold(h: Hyper) -> Coefs | Adapt:
        """Return ``coefs(t, lr, decay)``, which gives the numbers of a step.

        If the class carries numbers or has a gauge: ``coefs(t, lr, decay, numbers,
        sums)``, which also gives the new numbers and the rate to report.
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
        """Whether Mechanic can scale its steps."""
        return cls._steps and not (cls._gauge or cls._carries)

    @staticmethod
    def _fold_factors(h: Hyper) -> Weights | None:
        """Return ``coefs(t)`` of the factored second moment (`_factoring`)."""
        return None

    @staticmethod
    def _sides(p: Array, state: Mapping[str, Array]) -> list[tuple[Array, int]]:
        """Return the sides of the factored second moment, in the order of p's memory.

        Each is a state, and the length of its dimension.
        """
        raise NotImplementedError

    @staticmethod
    def _fold_directions(h: Hyper) -> Direct | None:
        """Return the function for the directions of a step (`_directed`)."""
        return None

    @staticmethod
    def _own_state(p: Array, h: Hyper) -> dict[str, Array]:
        """Return the arrays that only Python reads and writes, by name."""
        return {}

    _derives: ClassVar[str] = ""
    """The average that `_derived` computes, or ""."""

    @staticmethod
    def _derived(p: Array, state: Mapping[str, Array]) -> Array:
        """Return an average of a parameter that is computed from its states."""
        raise NotImplementedError

    # --- derived from these --------------------------------------------------------

    @classmethod
    def _is_a_kernel(cls) -> bool:
        """Whether the step of an array needs only a kernel and the numbers of its t."""
        others = cls._factoring or cls._directed or cls._gauge or cls._carries
        return not others

    @classmethod
    def _states_of(
        cls, alike: tuple[str, ...], numbers: tuple[str, ...]
    ) -> tuple[tuple[str, ...], int]:
        """Return the names of all state arrays, and their bytes a weight in float32.

        alike : names of the core's arrays of the parameter's shape.  numbers : names of
        its other arrays.
        """
        return alike + numbers, 4 * len(alike)
