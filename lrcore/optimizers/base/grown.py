"""Adding params to an optimizer, in a group of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrcore._shared import refusals
from lrcore.optimizers.base import options, plan
from lrcore.optimizers.base.group import ParamGroup, added, arrays_of
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind

if TYPE_CHECKING:
    from lrcore.optimizers.base.optimizer import Optimizer


def grow(
    opt: Optimizer,
    params: Any,
    hyper: Hyper,
    optimizer: type[Kind],
    defaults: Hyper,
) -> ParamGroup:
    """Add a group; the others keep their arrays and counts.

    optimizer : the class that updates it.  defaults : the others of its
    hyper-parameters.
    """
    opt._refuse_in_step()
    old = opt._plan
    if old.to_come:
        refusals.unfinished(opt._tree, old.to_come)
    group = added(params, hyper, defaults, optimizer)
    groups = (*opt.param_groups, group)
    roots = opt._tree.root if opt._tree.grouped else [opt._tree.root]
    tree = arrays_of([*roots, params], grouped=True)
    n = len(opt._tree.leaves)
    of = [leaf.group for leaf in opt._tree.leaves]
    tree = tree.in_groups([*of, *(len(groups) - 1 for _ in tree.leaves[n:])])
    gathers = opt._options["accumulate"] > 1
    new, state = plan.make(tree, groups, gathers, opt.state)
    fresh = range(len(opt.state), len(state))
    new.restart(
        old.t,
        [*old.steps, *(0 for _ in fresh)],
        old.gathered,
        [*old.without_gradient, *fresh],
    )
    new.more_scale, new.more_skips = old.more_scale, old.more_skips
    new.parallel_from = old.parallel_from
    opt._tree, opt._plan, opt._places = tree, new, None
    opt.param_groups, opt.state = groups, state
    options.replace(opt, opt._options)
    return group
