"""Copying and pickling an optimizer together with its params."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from lrcore.optimizers.base import checkpoint, options
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.keywords import Hyper

if TYPE_CHECKING:
    from lrcore.optimizers.base.optimizer import Optimizer


class _Group(NamedTuple):
    """What a group is made of again.

    initial : the hyper-parameters at construction, which decide what states there are.
    hyper : those of now.
    owner : the user's dict, if there is one.
    """

    params: Any
    initial: Hyper
    hyper: Hyper
    owner: dict[str, Any] | None


def reduced(opt: Optimizer) -> tuple[Any, ...]:
    """Return what ``__reduce__`` does: a function, its arguments, and attributes.

    The arguments hold the params as they are, so that what is copied or pickled with
    the optimizer stays one with its params.
    """
    saved = checkpoint.save(opt)
    groups = [
        _Group(group.params, group.initial, group.hyper, group.owner)
        for group in opt.param_groups
    ]
    made_of = (type(opt), groups, opt._group_defaults, opt._options, saved)
    slots = [
        name
        for kind in type(opt).__mro__
        if not kind.__module__.startswith("lrcore.")
        for name in _slots(kind)
        if hasattr(opt, name)
    ]
    attributes = {name: getattr(opt, name) for name in slots}
    return restored, made_of, (getattr(opt, "__dict__", None), attributes)


def _slots(kind: type) -> tuple[str, ...]:
    names = vars(kind).get("__slots__", ())
    return (names,) if isinstance(names, str) else tuple(names)


def restored(
    kind: type[Optimizer],
    groups: list[_Group],
    defaults: Hyper,
    own_options: Hyper,
    saved: Mapping[str, Any],
) -> Optimizer:
    """Return an optimizer that continues where the one that was reduced stood."""
    opt = kind.__new__(kind)
    kinds = kind._kinds()
    made = tuple(ParamGroup(g.params, g.initial, kinds, g.owner) for g in groups)
    is_list = len(groups) > 1 or groups[0].owner is not None
    opt._build(made, is_list, defaults, own_options)
    checkpoint.load(opt, saved, hyper="mine")
    for group, was in zip(made, groups, strict=True):
        group.replace(was.hyper)
    options.replace(opt, own_options)
    return opt
