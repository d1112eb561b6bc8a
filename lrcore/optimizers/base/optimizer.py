"""The class of all optimizers: construct, step, report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, NoReturn

from lrcore._shared import containers, refusals
from lrcore._shared import trees as _tree
from lrcore._shared.domains import FLAG, POSITIVE, whole
from lrcore._shared.types import Array
from lrcore.optimizers.base import (
    averaged,
    checkpoint,
    docs,
    options,
    places,
    plan,
    report,
)
from lrcore.optimizers.base.averaged import average
from lrcore.optimizers.base.common import Common
from lrcore.optimizers.base.fields import told
from lrcore.optimizers.base.group import grouped, make
from lrcore.optimizers.base.keywords import bound
from lrcore.optimizers.base.report import Report


class Optimizer(Common):
    """What all optimizers share: params, groups, the step, saving and restoring.

    ::

        g' = +-g + l2 p;   u = rule(g', states);   p = (1 - lr weight_decay) p - lr u

    with the rule and the states of the class.
    """

    __slots__ = (
        "__weakref__",
        "_options",
        "_places",
        "_plan",
        "_tree",
        "param_groups",
        "state",
    )

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = [name for name in cls._fields if name not in Common._fields]
        names = [*cls._positional, *own, *cls._fields]  # the common ones come last
        cls._fields = {name: cls._fields[name] for name in names}
        if cls.__doc__ is not None:
            cls.__doc__ = docs.Docstring(cls, cls.__doc__)  # type: ignore[assignment]

    def __init__(self, params: Any, *args: Any, **given: Any) -> None:
        name, fields = type(self).__name__, self._fields
        values = self._settled(bound(name, fields, self._positional, args, given))
        own_options = {
            name: field.check(values.pop(name))
            for name, field in fields.items()
            if field.of_all
        }
        is_list = grouped(params)
        self.param_groups = make(params, values, self._kinds())
        roots = [group.params for group in self.param_groups]
        self._tree = _tree.flatten(roots if is_list else roots[0], grouped=is_list)
        containers.params(self._tree)
        kinds_of = [self._kind_of(leaf.array) for leaf in self._tree.leaves]
        gathers = own_options["accumulate"] > 1
        self._plan, self.state = plan.make(
            self._tree, self.param_groups, kinds_of, gathers
        )
        self._options = own_options
        options.replace(self, own_options)
        self._places: _tree.Places | None = None  # made where asked for

    __signature__ = docs.ConstructorSignature(__init__)

    # --- how to run ----------------------------------------------------------------

    @property
    def t(self) -> int:
        """Steps taken."""
        return self._plan.t

    @t.setter
    def t(self, value: int) -> None:
        if self._plan.to_come:
            refusals.unfinished(self._tree, self._plan.to_come)
        self._plan.t = whole("t", value, "an int >= 0", least=0)

    # --- the step ------------------------------------------------------------------

    def step(self, grads: Any, loss: float | None = None) -> bool:
        """Update the params in place from their gradients.

        All that steps an optimizer (`LossScaler`, `lr_find`, your loop) calls this, so
        a subclass that overrides it sees every step.

        Parameters
        ----------
        grads : of the same structure as params
            Gradients of the same dtype, shape and memory order as their parameters,
            read, and zeroed where `zero_grads` says so.  With groups: a list with one
            structure a group.
        loss : float, optional
            The loss that they are of, for an optimizer that makes its rate of it
            (`SPS`).  The others ignore it, so that one loop runs them all.

        Returns
        -------
        bool
            True: the params were updated.  False: a gradient is not finite and such
            steps are skipped (`skip_nonfinite`), or more gradients are gathered first
            (`accumulate`).

        Raises
        ------
        TypeError, ValueError
            A gradient, a parameter or what a schedule returned cannot be used.  Nothing
            has been written then: not one parameter, not one state.
        RuntimeError
            It is in a step already, or `step_one` has begun one.
        """
        applied: bool = self._plan.step(grads)
        return applied

    @contextmanager
    def scaled(
        self, grad_scale: float, *, skip_nonfinite: bool = True
    ) -> Iterator[None]:
        """Multiply gradients by one more factor in the steps of a `with` block.

        This is how `LossScaler` hands its scale to ``step``, so that an override of
        ``step`` need not know of it.  The options are not changed: the factor comes on
        top of the option `grad_scale`.  Of nested blocks, all factors apply.

        Parameters
        ----------
        grad_scale : float
            The factor, finite and > 0: 1 / loss scale.
        skip_nonfinite : bool
            Skip a step whose gradients are not finite, whatever the option
            `skip_nonfinite` says.  Default True.

        Raises
        ------
        TypeError, ValueError
            An argument is out of its domain.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> p = np.zeros(1)
        >>> opt = lrcore.SGD(p, lr=1.0)
        >>> with opt.scaled(1 / 8):
        ...     opt.step(np.array([8.0])), opt.step(np.array([np.inf]))
        (True, False)
        >>> p
        array([-1.])
        """
        factor = POSITIVE.check("grad_scale", grad_scale)
        skips = FLAG.check("skip_nonfinite", skip_nonfinite)
        plan = self._plan
        before = plan.more_scale, plan.more_skips
        plan.more_scale, plan.more_skips = before[0] * factor, before[1] or skips
        try:
            yield
        finally:
            plan.more_scale, plan.more_skips = before

    def step_one(self, which: Any, grad: Array | None) -> bool:
        """Update one array, as a part of a step that ends when each has had its turn.

        For a backward pass that hands out gradients one layer at a time: the gradient
        is still in the cache, and need not be kept.  The arrays come in any order, each
        once; with the last of them `t` counts the step, and the arrays are what
        ``step`` would have made of them.

        Parameters
        ----------
        which : int, or a key of params, or a tuple of keys
            Its place in the order of params (as in `state`), or where it is: ``"W"``,
            ``("layers", 0)``.
        grad : ndarray or None
            Its gradient; None: it has none this time, and stays as it is, with its
            state and averages.  (What they do in a certain step only, the first or
            every k-th, they miss then; zeros are a gradient like others.)

        Returns
        -------
        bool
            Whether it was updated: False for None, and where `skip_nonfinite` left it.

        Raises
        ------
        TypeError, ValueError
            As of ``step``; it had its turn already; `clip_norm`, `accumulate`,
            `mechanic` or the optimizer (one that finds its rate by sums) needs the
            gradients of all.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> params = {"W": np.ones((2, 2)), "b": np.ones(2)}
        >>> opt = lrcore.SGD(params, lr=0.5)
        >>> opt.step_one("b", np.ones(2)), opt.t
        (True, 0)
        >>> opt.step_one("W", np.ones((2, 2))), opt.t
        (True, 1)
        """
        if self._places is None:
            self._places = _tree.places(self._tree)
        i = places.index(self._tree, self._places, which)
        applied: bool = self._plan.step_one(i, grad)
        return applied

    # --- telemetry -----------------------------------------------------------------

    @property
    def report(self) -> Report | None:
        """The last step in numbers (`telemetry`); None before the first."""
        return report.of_all(self)

    def reports(self, per: Literal["group", "tensor"]) -> Any:
        """Return the report of each group, as a tuple, or of each array, by its path.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> params = {"W": np.ones((2, 2)), "b": np.ones(2)}
        >>> opt = lrcore.SGD(params, lr=0.5, telemetry=True)
        >>> opt.step({"W": np.zeros((2, 2)), "b": np.array([3.0, 4.0])})
        True
        >>> opt.reports("tensor")["['b']"].grad_norm
        5.0
        """
        return report.of_each(self, per)

    # --- averages ------------------------------------------------------------------

    ema = average(
        "ema", "The exponential moving average of the params (``ema_decay``)."
    )
    swa = average("swa", "The stochastic weight average of the params (``swa_start``).")
    slow = average("slow", "Lookahead's slow weights (``lookahead_steps``).")

    @contextmanager
    def averaged(self, name: str | None = None) -> Iterator[None]:
        """Put an average into the params, and the params back at the end.

        Parameters
        ----------
        name : {"ema", "swa", "slow"}, optional
            Which; where the optimizer keeps one, it need not be said.

        Raises
        ------
        AttributeError, ValueError
            There is no such average, or several and no name.
        RuntimeError
            In the block: step, state_dict and load_state_dict.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> p = np.zeros(1)
        >>> opt = lrcore.SGD(p, lr=1.0, ema_decay=0.5)
        >>> opt.step(np.ones(1)), opt.step(np.ones(1))
        (True, True)
        >>> with opt.averaged():
        ...     print(p)
        [-1.5]
        >>> p
        array([-2.])
        """
        yield from averaged.lend(self, name)

    def _kept(self) -> set[str]:
        """Return the names of the averages that there are."""
        return averaged.kept(self)

    def _average(self, name: str) -> Any:
        """Return an average in the structure of params."""
        return averaged.read(self, name)

    def _with_average(self, name: str) -> list[tuple[Array, Array]]:
        """Return each parameter with its average, or itself where it has none yet."""
        return averaged.pairs(self, name)

    # --- saving and restoring ------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return copies of all that the next steps depend on, except the params.

        Keep your params beside it: ``pickle.dump((params, opt.state_dict()), file)``.
        (A schedule is kept as it is, and pickles if it can; of one that has a state, as
        `ReduceOnPlateau`, a copy is kept.)

        Returns
        -------
        dict
            ``version`` (of the layout), ``optimizer`` (the class), ``t``, ``gathered``
            (gradients since), ``options``, ``param_groups`` (a dict of hyper-parameters
            a group), ``names`` and ``state`` (of each array, in the order of params).
        """
        return checkpoint.save(self)

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue where the optimizer that gave this ``state_dict()`` was.

        Replaces the step count, the state arrays, all hyper-parameters, schedules
        included, and the options that change results.  A schedule that has a state, as
        `ReduceOnPlateau`, is not replaced where there is one already: that object takes
        the saved state and configuration over.  The params are yours to restore, in
        place: ``p[...] = saved``.

        Raises
        ------
        KeyError, TypeError, ValueError
            It does not belong to such an optimizer of such params.  Nothing has been
            changed then.
        """
        checkpoint.load(self, saved)

    def _refuse_in_step(self) -> None:
        if self._plan.busy is not None:
            raise RuntimeError(self._plan.busy)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an optimizer belongs to the arrays it updates and cannot be copied; "
            "copy or pickle (params, opt.state_dict()) and construct one from them"
        )

    def __repr__(self) -> str:
        arrays = [leaf.array for leaf in self._tree.leaves]
        elements = sum(array.size for array in arrays)
        options = told(self._options, self._fields)
        groups = ", ".join(map(repr, self.param_groups))
        return (
            f"<{type(self).__name__} of {elements:,} elements in {len(arrays)} arrays, "
            f"t={self.t}{options and ', '}{options}: {groups}>"
        )
