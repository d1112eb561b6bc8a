"""Copying and pickling an optimizer together with its params."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from lrcore.optimizers.base import checkpoint
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.planned import Planned


class _Group(NamedTuple):
    """The data from which a group is rebuilt.

    initial : the hyper-parameters at construction; they determine the states.
    hyper : the current ones.
    owner : the user's dict, if there is one.
    """

    params: Any
    initial: Hyper
    hyper: Hyper
    owner: dict[str, Any] | None


class Copied(Planned):
    """The part of `Optimizer` that copies and pickles it together with its params."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        """Return a function, its arguments, and attributes.

        The arguments hold the params themselves, so params that are copied or pickled
        together with the optimizer are still shared with it.
        """
        saved = checkpoint.save(self)
        groups = [
            _Group(group.params, group.initial, group.hyper, group.owner)
            for group in self.param_groups
        ]
        made_of = (type(self), groups, self._group_defaults, self._options, saved)
        slots = [
            name
            for kind in type(self).__mro__
            if not kind.__module__.startswith("lrcore.")
            for name in _slots(kind)
            if hasattr(self, name)
        ]
        attributes = {name: getattr(self, name) for name in slots}
        return restored, made_of, (getattr(self, "__dict__", None), attributes)

    def __copy__(self) -> NoReturn:
        raise TypeError(
            "copy.copy: two optimizers would update the same arrays; use "
            "copy.deepcopy((params, opt)), which copies these with it"
        )


def _slots(kind: type) -> tuple[str, ...]:
    names = vars(kind).get("__slots__", ())
    return (names,) if isinstance(names, str) else tuple(names)


def restored(
    kind: type[Planned],
    groups: list[_Group],
    defaults: Hyper,
    own_options: Hyper,
    saved: Mapping[str, Any],
) -> Planned:
    """Return an optimizer that continues from the state of the reduced one."""
    opt = kind.__new__(kind)
    kinds = kind._kinds()
    made = tuple(ParamGroup(g.params, g.initial, kinds, g.owner) for g in groups)
    is_list = len(groups) > 1 or groups[0].owner is not None
    opt._build(made, is_list, defaults, own_options)
    checkpoint.load(opt, saved, hyper="mine")
    for group, was in zip(made, groups, strict=True):
        group.replace(was.hyper)
    opt._replace_options(own_options)
    return opt
