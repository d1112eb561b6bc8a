"""The params and hyper-parameters of a group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from lrcore._core import Folded
from lrcore._shared.words import named, shown
from lrcore.optimizers.base.domains import AT_CONSTRUCTION, check, scheduled
from lrcore.optimizers.base.keywords import Hyper, known
from lrcore.optimizers.base.kind import Kind
from lrcore.optimizers.base.part import Part
from lrcore.optimizers.base.scheduled import Now, now
from lrcore.optimizers.base.values import at


class ParamGroup(MutableMapping[str, Any]):
    """A group's params and hyper-parameters, as a mapping that checks what is set.

    ``group["lr"] = 0.1`` takes effect at the next step; ``group["params"]`` is what was
    given.  Made by the optimizer.  What decides which state arrays there are
    (``amsgrad``, whether there is a momentum) stays as constructed.
    """

    __slots__ = ("_hyper", "_kind", "now", "owner", "params", "parts")

    now: Now | None
    """From the steps taken before to parts' numbers; None where none is scheduled."""

    # Two groups are the same where they are one: comparing params would ask arrays.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self,
        params: Any,
        hyper: Hyper,
        kinds: Sequence[type[Kind]],
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
                f"param_groups: expected {list(self._hyper)}, found {shown(hyper)}"
            )
        new = {name: self._check(name, value) for name, value in hyper.items()}
        self._keeps_layout(new, "param_groups")
        self._folded(new, _scheduled_of(new))
        return new

    def _folded(self, hyper: Hyper, names: Sequence[str]) -> list[Folded | None]:
        """Return each part's numbers; None where something is scheduled: names."""
        return [None if names else part.fold(hyper) for part in self.parts]

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
        names = _scheduled_of(hyper)
        folded = self._folded(hyper, names)  # which may refuse it
        self._hyper = hyper
        self.now = None
        if names:
            self.now = now(self.parts, hyper, names, self._kind._domains)
        for part, numbers in zip(self.parts, folded, strict=True):
            part.folded = numbers

    def __getitem__(self, name: str) -> Any:
        return self.params if name == "params" else self._hyper[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._hyper:
            raise KeyError(
                f"{named(name)}: no hyper-parameter; there are {list(self._hyper)}"
            )
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


def _scheduled_of(hyper: Hyper) -> list[str]:
    return [name for name, value in hyper.items() if scheduled(value)]


def grouped(params: Any) -> bool:
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


def make(
    params: Any, defaults: Hyper, kinds: Sequence[type[Kind]]
) -> tuple[ParamGroup, ...]:
    """Return the groups of params; one where they are not grouped.

    defaults : the hyper-parameters of a group that does not say.
    kinds : by whose rules arrays are stepped.
    """
    is_list = grouped(params)
    groups = []
    for index, group in enumerate(params if is_list else [{"params": params}]):
        own = {name: value for name, value in group.items() if name != "params"}
        known(f"params[{index}]", own, defaults)
        owner = group if is_list else None
        groups.append(ParamGroup(group["params"], {**defaults, **own}, kinds, owner))
    return tuple(groups)
