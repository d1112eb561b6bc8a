"""Copying and pickling an optimizer together with its params."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from lrcore.optimizers.base import checkpoint, options
from lrcore.optimizers.base.group import ParamGroup, arrays_of
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind

if TYPE_CHECKING:
    from lrcore.optimizers.base.optimizer import Optimizer


class _Group(NamedTuple):
    """The data from which a group is rebuilt.

    initial : the hyper-parameters at construction; they determine the states.
    hyper : the current ones.
    more : other arguments of ParamGroup.
    """

    params: Any
    initial: Hyper
    hyper: Hyper
    optimizer: type[Kind]
    more: dict[str, Any]


_MORE = ("owner", "by_pattern", "pattern")


def reduced(opt: Optimizer) -> tuple[Any, ...]:
    """Return the result of ``__reduce__``: a function, its arguments, and attributes.

    The arguments hold the params themselves, so params that are copied or pickled
    together with the optimizer are still shared with it.
    """
    saved = checkpoint.save(opt)
    groups = [
        _Group(
            group.params,
            group.initial,
            group.hyper,
            group.optimizer,
            {name: getattr(group, name) for name in _MORE},
        )
        for group in opt.param_groups
    ]
    of = [leaf.group for leaf in opt._tree.leaves]
    tree = opt._tree.root, opt._tree.grouped, of
    made_of = (type(opt), tree, groups, opt._group_defaults, opt._options, saved)
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
    tree: tuple[Any, bool, list[int]],
    groups: list[_Group],
    defaults: Hyper,
    own_options: Hyper,
    saved: Mapping[str, Any],
) -> Optimizer:
    """Return an optimizer that continues from the state of the reduced one."""
    opt = kind.__new__(kind)
    made = tuple(ParamGroup(g.params, g.initial, g.optimizer, **g.more) for g in groups)
    root, grouped, of = tree
    arrays = arrays_of(root, grouped=grouped).in_groups(of)
    opt._build(arrays, made, defaults, own_options)
    checkpoint.load(opt, saved, hyper="mine")
    for group, was in zip(made, groups, strict=True):
        group.replace(was.hyper)
    options.replace(opt, own_options)
    return opt
