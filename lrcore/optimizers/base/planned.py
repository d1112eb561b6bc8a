"""An optimizer's params, groups and states, and the plan of its step."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lrcore import _core
from lrcore._shared import trees as _tree
from lrcore._shared.words import shown
from lrcore.optimizers.base import options, plan
from lrcore.optimizers.base.common import Common
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.grouping import share_out
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
        more, comm = options.arrays(own_options), own_options["comm"]
        self._plan, self.state = plan.make(tree, groups, more, comm=comm)
        self._group_defaults = defaults
        self._options: Hyper  # set by the commit
        self._places: _tree.Places | None = None  # made on first use
        commit = _core.Commit()
        share_out(tree, groups, self._plan.lock, commit)
        self._add_options(commit, own_options)
        commit.make()
        if comm is None:  # otherwise, this rank does not know its threads yet
            self._plan.place()

    def _constructing(self, given: Hyper) -> AbstractContextManager[None]:
        """Return the block in which all of a constructor is done.

        With `comm`, an error in the block of one rank is raised on all.

        given : the keywords of the constructor, of which `comm` is checked.
        """
        if given.get("comm") is None:
            return nullcontext()
        from lrcore.distributed import _words
        from lrcore.optimizers.base import sharded

        given["comm"] = comm = _words.known(given["comm"])
        return sharded.construction(self, comm)

    @property
    def _ranks(self) -> Any:
        """The other ranks (`sharded.Ranks`), if there is a `comm`; or None."""
        return self._plan.ranks

    @property
    def t(self) -> int:
        """The number of steps taken, which is the argument of schedules.

        Bias corrections and averages count steps per array, because a step without a
        gradient for an array skips that array.  Setting `t` sets all these counts.
        """
        return self._plan.t

    @t.setter
    def t(self, value: int) -> None:
        self._plan.t = options.STEPS.check("t", value)

    def _add_options(
        self, commit: _core.Commit, values: Hyper, to: _core.Plan | None = None
    ) -> None:
        """Add checked options to a commit, for a plan; None: the present one."""
        gathers = any(_core.GATHERED in state for state in self.state)
        if self._ranks is not None:
            self._ranks.check_options(values)
        elif gathers != (values["accumulate"] > 1):
            raise ValueError(
                f"accumulate: found {shown(values['accumulate'])}, and this optimizer "
                f"was built {'to gather' if gathers else 'without arrays to gather in'}"
                "; construct one with it"
            )
        for group in self.param_groups:
            options.check_project(group.optimizer, values["project"])
        to = self._plan if to is None else to
        commit.give(to, options.settings(to, values, self._fields))
        commit.set(self, "_options", values)
