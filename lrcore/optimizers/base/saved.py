"""The state of an optimizer as a dict: saved, and loaded again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from lrcore._shared.domains import FLAG, choice
from lrcore.optimizers.base import checkpoint
from lrcore.optimizers.base.matching import Loaded, Match
from lrcore.optimizers.base.planned import Planned
from lrcore.optimizers.base.saved_dict import Source

MATCH = choice("place", "path")
SOURCE = choice("saved", "mine")


class Saved(Planned):
    """The part of `Optimizer` that saves and restores."""

    __slots__ = ()

    def state_dict(self) -> dict[str, Any]:
        """Return copies of everything that later steps depend on, except the params.

        `save` writes it to a file, with the params.  (``copy.deepcopy((params, opt))``
        copies the optimizer together with its params, in memory.)

        The dict holds a schedule itself; of a schedule with a state, such as
        `ReduceOnPlateau`, it holds a copy.

        Returns
        -------
        dict
            ``version`` (of the layout), ``optimizer`` (the class), ``t``, ``steps`` (of
            each array), ``gathered`` (gradients since), ``gathered_scale`` (the factor
            that they still need, besides `grad_scale`), ``gathered_skips`` (whether one
            that is not finite skips the step: see ``scaled``), ``without_gradient``
            (the arrays of which none was gathered), ``options``, ``param_groups`` (a
            dict of hyper-parameters a group), ``patterns`` (of the groups),
            ``optimizers`` (the class of each array), ``names`` and ``state`` (of each
            array, in the order of params).
        """
        return checkpoint.save(self)

    def load_state_dict(
        self,
        saved: Mapping[str, Any],
        strict: bool = True,
        *,
        match: Match = "place",
        hyper: Source = "saved",
    ) -> Loaded:
        """Continue from the state of the optimizer that gave this ``state_dict()``.

        Replaces the step count, the state arrays, all hyper-parameters, schedules
        included, and the options that change results.  If there is a schedule with a
        state already, such as `ReduceOnPlateau`, it is not replaced: it takes the saved
        state and configuration.  You restore the params yourself, in place:
        ``p[...] = saved``.

        Parameters
        ----------
        saved : dict
            The result of ``state_dict()``.
        strict : bool
            Whether the saved arrays have to be those of this optimizer.  If False,
            arrays found on both sides are loaded, and an array that is missing keeps
            its state and count: with ``match="path"``, a network that gained or lost a
            layer keeps the rest.  Default True.
        match : {"place", "path"}
            Match arrays by their place in the order of params, or by their path in the
            containers.  In a list of groups, the path begins with the group's index,
            which does not count if only one side has several: `add_group` changes no
            path.  Default "place".
        hyper : {"saved", "mine"}
            "mine": the hyper-parameters, schedules and options do not change, to
            continue a run with different ones.  "saved" warns if it replaces a
            schedule by another one, or a number (not the default) by a schedule.
            Default "saved".

        Returns
        -------
        Loaded
            ``missing`` and ``unexpected``: lists of paths, both empty if strict.

        Raises
        ------
        KeyError, TypeError, ValueError
            It does not fit this optimizer and its params, or has a value that no run
            has, as a negative mean of squares.  In this case, nothing is changed.

        Warns
        -----
        UserWarning
            A schedule was replaced, or a state has NaN or infinity, as of a run that
            diverged: it is loaded as it is.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> old = lrcore.Adam({"body": np.ones(2), "head": np.ones(2)})
        >>> old.step({"body": np.ones(2), "head": np.ones(2)})
        True
        >>> opt = lrcore.Adam({"neck": np.ones(3), "body": np.ones(2)})
        >>> opt.load_state_dict(old.state_dict(), strict=False, match="path")
        Loaded(missing=["['neck']"], unexpected=["['head']"])
        >>> opt.t, opt.state[1]["m"]
        (1, array([0.1, 0.1]))
        """
        strict = FLAG.check("strict", strict)
        match, hyper = MATCH.check("match", match), SOURCE.check("hyper", hyper)
        told = checkpoint.load(self, saved, strict=strict, match=match, hyper=hyper)
        for warning in checkpoint.warnings_about(told.replaced, told.nonfinite):
            warnings.warn(f"load_state_dict: {warning}", stacklevel=2)
        return told.loaded
