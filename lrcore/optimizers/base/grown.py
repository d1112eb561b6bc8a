"""Adding params to an optimizer, in a group of their own."""

from __future__ import annotations

from typing import Any

from lrcore._shared import refusals
from lrcore._shared.trees import root
from lrcore.optimizers.base import options, plan
from lrcore.optimizers.base.group import ParamGroup, added, arrays_of
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind
from lrcore.optimizers.base.planned import Planned


def grow(
    opt: Planned, params: Any, hyper: Hyper, optimizer: type[Kind], defaults: Hyper
) -> ParamGroup:
    """Add a group; the others keep their arrays and counts.

    optimizer : the class that updates it.  defaults : its other hyper-parameters.
    """
    opt._refuse_in_step()
    old = opt._plan
    if old.to_come:
        refusals.unfinished(opt._tree, old.to_come)
    options.check_project(optimizer, opt._options["project"])
    group = added(params, hyper, defaults, optimizer)
    groups = (*opt.param_groups, group)
    roots = root(opt._tree) if opt._tree.grouped else [root(opt._tree)]
    tree = arrays_of([*roots, params], grouped=True)
    of = [leaf.group for leaf in opt._tree.leaves]
    of += [len(groups) - 1] * (len(tree.leaves) - len(of))
    tree = tree.in_groups(of)
    gathers = opt._options["accumulate"] > 1
    new, state = plan.make(tree, groups, gathers, opt.state)
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
