"""Adding params to an optimizer, in a group of their own."""

from __future__ import annotations

from typing import Any

from lrcore._shared import containers, refusals, trees
from lrcore.optimizers.base import plan
from lrcore.optimizers.base.group import ParamGroup, added
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.planned import Planned


def grow(opt: Planned, params: Any, hyper: Hyper) -> ParamGroup:
    """Add a group; the others keep their arrays and counts."""
    opt._refuse_in_step()
    old = opt._plan
    if old.to_come:
        refusals.unfinished(opt._tree, old.to_come)
    group = added(params, hyper, opt._group_defaults, opt._kinds())
    groups = (*opt.param_groups, group)
    tree = trees.flatten([each.params for each in groups], grouped=True)
    containers.params(tree)
    kinds_of = [opt._kind_of(leaf.array) for leaf in tree.leaves]
    gathers = opt._options["accumulate"] > 1
    new, state = plan.make(tree, groups, kinds_of, gathers, opt.state)
    fresh = range(len(opt.state), len(state))
    new.restart(
        old.t,
        [*old.steps, *(0 for _ in fresh)],
        old.gathered,
        [*old.without_gradient, *fresh],
        old.gathered_scale,
    )
    new.more_scale, new.more_skips = old.more_scale, old.more_skips
    new.parallel_from = old.parallel_from
    opt._tree, opt._plan, opt._places = tree, new, None
    opt.param_groups, opt.state = groups, state
    opt._replace_options(opt._options)
    return group
