"""How the learning rates of an optimizer's groups stand to each other."""

from __future__ import annotations

from lrcore._shared.foreign import no_optimizer
from lrcore._shared.words import listed
from lrcore.optimizers.base.optimizer import Optimizer


def ratios(opt: Optimizer) -> list[float]:
    """Return the ratio of each group's learning rate to the first's, at the next step.

    Raises
    ------
    TypeError, ValueError
        It is no optimizer, or the first group's rate is 0 and there are others.
    """
    if not isinstance(opt, Optimizer):
        raise no_optimizer(opt)
    now = [float(group.at("lr", opt.t)) for group in opt.param_groups]
    if len(now) == 1:
        return [1.0]
    if not now[0] > 0:
        raise ValueError(
            "opt: expected the first group's lr > 0 at the next step, as the others' "
            f"keep their ratio to it, found [{listed(now)}]; set numbers for the "
            "range test, and schedules after it"
        )
    return [lr / now[0] for lr in now]
