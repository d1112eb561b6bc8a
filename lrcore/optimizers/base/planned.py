"""An optimizer's params, groups and states, and the plan of its step."""

from __future__ import annotations

from lrcore import _core
from lrcore._shared import refusals
from lrcore._shared import trees as _tree
from lrcore._shared.domains import whole
from lrcore._shared.words import shown
from lrcore.optimizers.base import options, plan
from lrcore.optimizers.base.common import Common
from lrcore.optimizers.base.group import ParamGroup, share_out
from lrcore.optimizers.base.keywords import Hyper


class Planned(Common):
    """Params, groups, states, options, plan: the parts of `Optimizer` work on them."""

    __slots__ = (
        "__weakref__",
        "_group_defaults",
        "_options",
        "_places",
        "_plan",
        "_tree",
        "param_groups",
        "state",
    )

    def _build(
        self,
        tree: _tree.Tree,
        groups: tuple[ParamGroup, ...],
        defaults: Hyper,
        own_options: Hyper,
    ) -> None:
        """Make the plan and the states."""
        self.param_groups, self._tree = groups, tree
        gathers = own_options["accumulate"] > 1
        self._plan, self.state = plan.make(tree, groups, gathers)
        share_out(tree, groups)
        self._group_defaults, self._options = defaults, own_options
        self._replace_options(own_options)
        self._places: _tree.Places | None = None  # made on first use

    @property
    def t(self) -> int:
        """The number of steps taken, which is the argument of schedules.

        Bias corrections and averages count steps per array, because a step without a
        gradient for an array skips that array.  Setting `t` sets all these counts.
        """
        return self._plan.t

    @t.setter
    def t(self, value: int) -> None:
        self._refuse_in_step()
        if self._plan.to_come:
            refusals.unfinished(self._tree, self._plan.to_come)
        self._plan.t = whole("t", value, "an int >= 0", least=0)

    def _refuse_in_step(self) -> None:
        if self._plan.busy is not None:
            raise RuntimeError(self._plan.busy)

    def _replace_options(self, values: Hyper) -> None:
        """Set checked options."""
        gathers = any(_core.GATHERED in state for state in self.state)
        if gathers != (values["accumulate"] > 1):
            raise ValueError(
                f"accumulate: found {shown(values['accumulate'])}, and this optimizer "
                f"was built {'to gather' if gathers else 'without arrays to gather in'}"
                "; construct one with it"
            )
        for group in self.param_groups:
            options.check_project(group.optimizer, values["project"])
        options.set_in(self._plan, values, self._fields)
        self._options = values
