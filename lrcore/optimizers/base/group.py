"""The params and hyper-parameters of a group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from lrcore._core import Commit, Folded, Lock
from lrcore._shared.trees import Leaf
from lrcore._shared.types import Array
from lrcore._shared.words import listed, named, shown
from lrcore.optimizers.base.fields import told
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind
from lrcore.optimizers.base.part import Layout, Part, rate
from lrcore.optimizers.base.scheduled import Now, now
from lrcore.optimizers.base.values import at, scheduled

_LATER = {"lr_scale": 1.0}
"""The values of hyper-parameters that older saved dicts lack."""


class ParamGroup(MutableMapping[str, Any]):
    """A group's params and hyper-parameters, as a mapping that checks new values.

    ``group["lr"] = 0.1`` takes effect at the next step.  ``group["params"]`` is the
    given object; in a group by a pattern, a dict of the arrays by path.  The optimizer
    makes groups.  Settings that determine the state arrays (``amsgrad``, whether there
    is a momentum) cannot be changed later.

    Attributes
    ----------
    lock : lrcore._core.Lock
        That of its optimizer; its own before there is one.
    optimizer : type
        The class that updates its arrays.
    by_pattern : bool
        Whether patterns of paths made the groups.
    pattern : str or None
        The pattern of this one; None: its arrays match no pattern.

    Raises
    ------
    TypeError, ValueError
        A value that is set is out of its domain, or needs other state arrays.
    KeyError
        There is no hyper-parameter of this name in a group; the message says where it
        is set, if there is such a place.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> body, head = np.zeros(3), np.zeros(2)
    >>> opt = lrcore.SGD([{"params": body}, {"params": head, "lr": 0.1}], lr=0.01)
    >>> group = opt.param_groups[1]
    >>> group["weight_decay"] = 1e-4
    >>> group["lr"], group["weight_decay"], group.paths
    (0.1, 0.0001, ['[1]'])
    """

    __slots__ = (
        "_fields",
        "_hyper",
        "by_pattern",
        "initial",
        "leaves",
        "lock",
        "now",
        "optimizer",
        "owner",
        "params",
        "parts",
        "pattern",
    )

    now: Now | None
    """Maps the steps taken so far to the numbers of parts; None: no schedules."""

    # Groups compare by identity: comparing params would compare arrays.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self,
        params: Any,
        hyper: Hyper,
        optimizer: type[Kind],
        *,
        owner: dict[str, Any] | None = None,
        by_pattern: bool = False,
        pattern: str | None = None,
    ) -> None:
        self.params = params
        self.owner = owner  # the user's dict, if there is one
        self.optimizer = optimizer
        self.by_pattern, self.pattern = by_pattern, pattern
        self.leaves: list[Leaf] = []  # by share_out
        self.lock = Lock()
        self._fields = optimizer._fields
        self.initial = self._hyper = self._checked(hyper)
        self.parts = tuple(Part(kind, self._hyper) for kind in optimizer._kinds())
        commit = Commit()
        self.add_to(commit, self._hyper)
        commit.make()

    def _checked(self, hyper: Mapping[str, Any]) -> Hyper:
        return {name: self._fields[name].check(hyper[name]) for name in hyper}

    @property
    def paths(self) -> list[str]:
        """The paths of its arrays, as in ``state_dict()["names"]``."""
        return [leaf.path for leaf in self.leaves]

    def part_of(self, p: Array) -> Part:
        """Return the part that one of its arrays belongs to."""
        kind = self.optimizer._kind_of(p)
        return next(part for part in self.parts if part.kind is kind)

    @property
    def hyper(self) -> Hyper:
        """A copy of the hyper-parameters as set, schedules as such."""
        return dict(self._hyper)

    def checked(self, hyper: Mapping[str, Any]) -> Hyper:
        """Check a whole set of saved hyper-parameters for this group."""
        if isinstance(hyper, Mapping):
            hyper = {**_LATER, **hyper}
        if not isinstance(hyper, Mapping) or hyper.keys() != self._hyper.keys():
            raise ValueError(
                f"param_groups: expected {list(self._hyper)}, found {shown(hyper)}"
            )
        new = self._checked({name: hyper[name] for name in self._hyper})
        self._keeps_layout(new, "param_groups")
        self._folded(new)
        return new

    def change(self, commit: Commit, name: str, value: Any) -> None:
        """Check a new value of one hyper-parameter, and add it to a commit."""
        field = self._fields[name]
        if field.initial:
            raise ValueError(f"{name}: used at construction only; it cannot be set now")
        value = field.check(value)
        hyper = {**self._hyper, name: value}
        if name != "lr":  # no layout depends on the rate
            self._keeps_layout(hyper, name)
        commit.keep(self, "_hyper")
        self.add_to(commit, hyper, fixed=self.now is None and not scheduled(value))

    def _keeps_layout(self, hyper: Hyper, what: str) -> None:
        """Check that the existing state arrays are enough.

        A momentum of 0 is treated as a schedule that returns 0.
        """
        for part in self.parts:
            own, asked = part.layout, part.layout_of(hyper)
            if own != asked and own not in self._if_scheduled(part, hyper):
                raise ValueError(
                    f"{what}: asks for the states of {asked}, and this optimizer was "
                    f"built with those of {part.layout}; construct one with it"
                )

    def _if_scheduled(self, part: Part, hyper: Hyper) -> list[Layout]:
        """Return the layouts as if one of the numbers that are 0 were a schedule."""
        return [
            part.layout_of({**hyper, name: lambda t: 0.0})
            for name, value in hyper.items()
            if value == 0.0 and type(value) is float and not self._fields[name].fixed
        ]

    def _folded(
        self, hyper: Hyper, fixed: bool = False
    ) -> tuple[Now | None, Sequence[Folded | None]]:
        """Return `now` and the numbers of each part; this may raise an error.

        fixed : whether it is known that nothing is scheduled.
        """
        names = [] if fixed else [name for name in hyper if scheduled(hyper[name])]
        if names:
            nothing = [None] * len(self.parts)
            return now(self.parts, hyper, names, self._fields), nothing
        return None, [part.fold(hyper) for part in self.parts]

    def add_to(self, commit: Commit, hyper: Hyper, fixed: bool = False) -> None:
        """Add checked values to the changes of a commit; fixed: see `_folded`."""
        now, folded = self._folded(hyper, fixed)
        commit.set(self, "_hyper", hyper)
        commit.set(self, "now", now)
        for part, numbers in zip(self.parts, folded, strict=True):
            commit.set(part, "folded", numbers)

    def __getitem__(self, name: str) -> Any:
        return self.params if name == "params" else self._hyper[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self._fields and name not in self._hyper:
            raise KeyError(
                f"{name}: belongs to the whole optimizer; set opt.{name} = ..."
            )
        if name == "params":
            raise KeyError(
                "params: cannot be replaced; assign in place (p[...] = value), or add "
                "arrays by opt.add_group(params)"
            )
        if name not in self._hyper:
            raise KeyError(
                f"{named(name)}: no hyper-parameter; there are {list(self._hyper)}"
            )
        commit = Commit(self.lock)
        self.change(commit, name, value)
        commit.make()

    def __delitem__(self, name: str) -> None:
        raise TypeError("a group's hyper-parameters cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        yield "params"
        yield from self._hyper

    def __len__(self) -> int:
        return 1 + len(self._hyper)

    def __repr__(self) -> str:
        """Show the hyper-parameters that differ from the class's defaults."""
        hyper = told(self._hyper, self._fields)
        if not self.by_pattern:
            return f"ParamGroup({hyper})"
        name, paths = self.optimizer.__name__, listed(self.paths)
        where = f"{name}, pattern={shown(self.pattern)}, paths=[{paths}]"
        return f"ParamGroup({where}{hyper and ', '}{hyper})"

    def at(self, name: str, t: int) -> Any:
        """Return a hyper-parameter's value for the step after t steps."""
        return at(self._fields[name], self._hyper[name], t)

    def rate(self, t: int) -> float:
        """Return the learning rate of the step after t steps: lr times lr_scale."""
        if self.now is None:
            return rate(self._hyper["lr"], self._hyper["lr_scale"])
        return rate(self.at("lr", t), self.at("lr_scale", t))
