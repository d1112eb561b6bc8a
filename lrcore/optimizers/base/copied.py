"""Copying and pickling an optimizer together with its params."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from lrcore._core import Commit
from lrcore._shared.trees import Tree
from lrcore.optimizers.base import checkpoint
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.grouping import checked
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind
from lrcore.optimizers.base.planned import Planned


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


class Copied(Planned):
    """The part of `Optimizer` that copies and pickles it together with its params."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        """Return a function, its arguments, and attributes.

        The arguments hold the params themselves, so params that are copied or pickled
        together with the optimizer are still shared with it.  Params nested too deep
        for `pickle` and `deepcopy` have to come after it: ``deepcopy((opt, params))``.
        """
        if self._plan.ranks is not None:
            raise TypeError(
                "comm: an optimizer of several processes is neither copied nor "
                "pickled; use opt.save(path) on every rank, and opt.load(path)"
            )
        saved = checkpoint.save(self)
        groups = [
            _Group(
                group.params,
                group.initial,
                group.hyper,
                group.optimizer,
                {name: getattr(group, name) for name in _MORE},
            )
            for group in self.param_groups
        ]
        made_of = (
            *(type(self), self._tree, groups, self._group_defaults, self._options),
            saved,
        )
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
    tree: Tree,
    groups: list[_Group],
    defaults: Hyper,
    own_options: Hyper,
    saved: Mapping[str, Any],
) -> Planned:
    """Return an optimizer that continues from the state of the reduced one."""
    opt = kind.__new__(kind)
    made = tuple(ParamGroup(g.params, g.initial, g.optimizer, **g.more) for g in groups)
    opt._build(checked(tree), made, defaults, own_options)
    checkpoint.load(opt, saved, hyper="mine")
    commit = Commit()
    for group, was in zip(made, groups, strict=True):
        group.add_to(commit, was.hyper)
    opt._add_options(commit, own_options)
    commit.make()
    return opt
