"""Adding params to an optimizer, in a group of their own."""

from __future__ import annotations

from typing import Any

from lrcore import _core
from lrcore._shared import refusals
from lrcore._shared.trees import root
from lrcore.optimizers.base import options, plan
from lrcore.optimizers.base.group import ParamGroup
from lrcore.optimizers.base.grouping import added, arrays_of, share_out
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind
from lrcore.optimizers.base.planned import Planned


class Grown(Planned):
    """The part of `Optimizer` that adds groups."""

    __slots__ = ()

    def add_group(self, params: Any, **hyper: Any) -> ParamGroup:
        """Add params in a new group, for a network that grows.

        After this, gradients are a list with one structure per group, this one's last;
        the other arrays keep their state.  The new arrays start with a count of 0 for
        bias corrections and averages, while `t` and the schedules continue.

        Parameters
        ----------
        params : ndarray, or nested list / tuple / dict of ndarray
            Arrays that the optimizer does not have yet.
        **hyper
            Hyper-parameters of the group; the default is the constructor's value.

        Returns
        -------
        ParamGroup
            The group, the last of ``param_groups``.

        Raises
        ------
        TypeError, ValueError
            As for the constructor.  In this case, nothing is changed.
        RuntimeError
            A step is running, or `step_one` has begun one.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> body, head = {"W": np.zeros(2)}, {"W": np.zeros(2)}
        >>> opt = lrcore.SGD(body, lr=1.0)
        >>> opt.step({"W": np.ones(2)})
        True
        >>> group = opt.add_group(head, lr=0.1)
        >>> opt.step([{"W": np.ones(2)}, {"W": np.ones(2)}])
        True
        >>> body["W"], head["W"]
        (array([-2., -2.]), array([-0.1, -0.1]))
        """
        return self._grow(params, hyper, type(self), self._group_defaults)

    def _grow(
        self, params: Any, hyper: Hyper, optimizer: type[Kind], defaults: Hyper
    ) -> ParamGroup:
        """Add a group; the others keep their arrays and counts.

        optimizer : the class that updates it.  defaults : its other hyper-parameters.
        """
        old = self._plan
        if old.ranks is not None:
            raise ValueError(
                "add_group: expected an optimizer without comm, found one with it, "
                "whose arrays do not move to other ranks; construct another one with "
                "all groups, and load the checkpoint of this one by match='path', "
                "strict=False"
            )
        commit = _core.Commit(old.lock, unchanged=True)
        old.lock.check()
        if old.to_come:
            refusals.unfinished(self._tree, old.to_come)
        options.check_project(optimizer, self._options["project"])
        group = added(params, hyper, defaults, optimizer)
        groups = (*self.param_groups, group)
        roots = root(self._tree) if self._tree.grouped else [root(self._tree)]
        tree = arrays_of([*roots, params], grouped=True)
        of = [leaf.group for leaf in self._tree.leaves]
        of += [len(groups) - 1] * (len(tree.leaves) - len(of))
        tree = tree.in_groups(of)
        more = options.arrays(self._options)
        new, state = plan.make(tree, groups, more, self.state, old.lock)
        fresh = range(len(self.state), len(state))
        counts = _core.Counts(
            old.t,
            [*old.steps, *(0 for _ in fresh)],
            old.gathered,
            old.gathered_scale,
            old.gathered_skips,
            [*old.without_gradient, *fresh],
        )
        new.more_scale, new.more_skips = old.more_scale, old.more_skips
        new.parallel_from = old.parallel_from
        commit.give(new, counts=counts)
        commit.keep(self, "_options")
        self._add_options(commit, self._options, new)
        share_out(tree, groups, old.lock, commit)
        for name, value in {
            "_tree": tree,
            "_plan": new,
            "_places": None,
            "param_groups": groups,
            "state": state,
        }.items():
            commit.set(self, name, value)
        new.place(options.check_num_threads(self._options["num_threads"]))
        commit.make()
        return group
