"""The class of all optimizers: construct, step."""

from __future__ import annotations

from typing import Any

from lrcore._core import Commit, Scaled
from lrcore._shared import trees as _tree
from lrcore._shared.domains import FLAG, POSITIVE
from lrcore._shared.types import Array
from lrcore.optimizers.base import by_path, docs, places, rates
from lrcore.optimizers.base.averaged import Averaged
from lrcore.optimizers.base.common import Common
from lrcore.optimizers.base.copied import Copied
from lrcore.optimizers.base.fields import told
from lrcore.optimizers.base.grouping import make
from lrcore.optimizers.base.grown import Grown
from lrcore.optimizers.base.on_disk import OnDisk
from lrcore.optimizers.base.report import Reporting
from lrcore.optimizers.base.saved import Saved


class Optimizer(Grown, Averaged, Reporting, Saved, OnDisk, Copied):
    """The base of all optimizers: params, groups, the step, saving and restoring.

    ::

        g' = +-g + l2 p;   u = rule(g', states);   p = (1 - lr weight_decay) p - lr u

    with the rule and the states of the class.

    Notes
    -----
    One thread at a time works on an optimizer, and no thread waits for another one, so
    nothing can hang, in a forked process either.  While a step runs, or a block of
    ``averaged()``, everything that changes the optimizer or reads it as a whole raises
    RuntimeError and changes nothing, in any thread, and so in a schedule or `project`
    that the step calls: step, flush, step_one, add_group, state_dict, load_state_dict,
    pickling and copying, averaged, reports, setting `t`, an option or a
    hyper-parameter.  Each of these but the steps is done in one piece, which other
    threads see done or not begun, as a handler of a signal does.  If another thread has
    changed meanwhile what a call began with, it raises RuntimeError too.  Single values
    (``opt.lr``, ``opt.t``, an array of a state) can be read at any time.

    If several threads use one optimizer, let each hold a ``threading.Lock`` of yours
    while it does.  Different optimizers, with different params, need none.
    """

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = [name for name in cls._fields if name not in Common._fields]
        names = [*cls._positional, *own, *cls._fields]  # the common ones come last
        cls._fields = {name: cls._fields[name] for name in names}
        if cls.__doc__ is not None:
            cls.__doc__ = docs.Docstring(cls, cls.__doc__)  # type: ignore[assignment] # lazy

    def __init__(self, params: Any, *args: Any, **given: Any) -> None:
        if type(self) is Optimizer:
            raise TypeError(
                "Optimizer: the base of all optimizers, which has no rule; construct "
                "one of them, such as lrcore.AdamW(params)"
            )
        with self._constructing(given):
            values, options = self._bound(args, given)
            if options["groups"]:
                made = by_path.split(params, options["groups"], values, type(self))
            else:
                made = make(params, values, type(self))
            self._build(*made, values, options)

    __signature__ = docs.ConstructorSignature(__init__)

    # --- learning rates ------------------------------------------------------------

    def multiply_lr(self, factor: float) -> None:
        """Multiply the learning rate of every group, schedules included.

        The groups keep their ratios, and schedules their shapes (``opt.lr = ...`` gives
        all groups one rate, times the `lr_scale` of each).

        Parameters
        ----------
        factor : float
            Finite and > 0.

        Raises
        ------
        TypeError, ValueError
            The factor, or a product, is out of its domain.  Nothing is changed.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> body, head = np.zeros(1), np.zeros(1)
        >>> opt = lrcore.SGD([{"params": body}, {"params": head, "lr": 0.25}], lr=1.0)
        >>> plateau = lrcore.ReduceOnPlateau(1.0, factor=0.5, patience=0)
        >>> for loss in (1.0, 2.0):  # of an epoch each
        ...     if plateau.update(loss):
        ...         opt.multiply_lr(plateau.factor)
        >>> [group["lr"] for group in opt.param_groups]
        [0.5, 0.125]
        """
        commit = Commit(self._plan.lock)
        rates.multiply(self.param_groups, POSITIVE.check("factor", factor), commit)
        commit.make()

    @property
    def last_lr(self) -> list[float] | None:
        """The learning rate of each group in the last step; None before the first.

        If the optimizer finds its rate (`Prodigy`, `SPS`), it is that rate.  After a
        step that was not taken, it is the rate that the step would have used.
        """
        last = [rate for rate in self._plan.rates if rate is not None]
        return last or None

    # --- the step ------------------------------------------------------------------

    def step(self, grads: Any, loss: float | None = None) -> bool:
        """Update the params in place from their gradients.

        Every caller (`LossScaler`, `lr_find`, your loop) uses this method, so a
        subclass that overrides it sees every step.

        Parameters
        ----------
        grads : of the same structure as params
            Gradients of the same dtype, shape and memory order as their parameters,
            read, and zeroed if `zero_grads` is set.  Objects with DLPack (CPU arrays of
            JAX, tensors of torch) and buffers of numbers (``array.array``, memoryviews)
            are read where they are, without a copy.  With groups: a list with one
            structure per group.  An array without axes also takes a NumPy scalar of its
            dtype, such as ``g.mean()``.  None for an array without a gradient: the
            array, its state and its averages do not change, and it has no weight decay;
            norms and `clip_norm` ignore it.  With `accumulate`, the mean counts None as
            a gradient of 0, unless all calls have None: then the array is skipped.
        loss : float, optional
            The loss of these gradients, for an optimizer that computes its rate from it
            (`SPS`).  The others ignore it, so one loop works for all.

        Returns
        -------
        bool
            True: the params were updated.  False: a gradient is not finite and the step
            is skipped (`skip_nonfinite`), or more gradients are gathered first
            (`accumulate`), or there is no gradient at all (`t` counts this step).

        Raises
        ------
        TypeError, ValueError
            A gradient, a parameter or the value of a schedule is not valid.  In this
            case, no parameter and no state is changed.  (An error of `project` is
            raised when the step is complete.)
        RuntimeError
            A step is running already, or `step_one` has begun one.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> params = {"W": np.ones((2, 2)), "b": np.zeros(2)}
        >>> opt = lrcore.SGD(params, lr=0.5)
        >>> opt.step({"W": np.ones((2, 2)), "b": np.array([2.0, -2.0])})
        True
        >>> params["W"][0], params["b"]
        (array([0.5, 0.5]), array([-1.,  1.]))
        """
        applied: bool = self._plan.step(grads)
        return applied

    def scaled(self, grad_scale: float, *, skip_nonfinite: bool = True) -> Scaled:
        """Multiply gradients by one more factor in the steps of a `with` block.

        `LossScaler` passes its scale to ``step`` in this way, so an override of
        ``step`` does not need to handle it.  The options do not change: the factor is
        applied in addition to `grad_scale`.  In nested blocks, all factors apply.
        Gradients that are gathered (`accumulate`) have the factors of their own call,
        also in a `flush` after the block.

        Parameters
        ----------
        grad_scale : float
            The factor, finite and > 0: 1 / loss scale.
        skip_nonfinite : bool
            Skip a step with gradients that are not finite, even if the option
            `skip_nonfinite` is False.  Default True.

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
        return Scaled(self, factor, FLAG.check("skip_nonfinite", skip_nonfinite))

    def flush(self) -> bool:
        """Update the params by the mean of the gradients gathered so far.

        For the end of an epoch, if the number of batches is not a multiple of
        `accumulate`: the mean is over the calls since the last update.

        Returns
        -------
        bool
            Whether the params were updated: False if nothing is gathered, or the step
            is skipped (`skip_nonfinite`).

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As for ``step``.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> p = np.zeros(1)
        >>> opt = lrcore.SGD(p, lr=1.0, accumulate=4)
        >>> opt.step(np.array([2.0])), opt.step(np.array([4.0])), opt.flush()
        (False, False, True)
        >>> p, opt.t
        (array([-3.]), 1)
        """
        applied: bool = self._plan.flush()
        return applied

    def step_one(self, which: Any, grad: Array | None) -> bool:
        """Update one array; the step ends when each array has been updated.

        For a backward pass that produces gradients one layer at a time: the gradient is
        still in the cache, and need not be stored.  The arrays come in any order, each
        once; the last one ends the step and increases `t`.  The result is the same as
        that of ``step``.

        With `comm`, the gradient starts at once on its way to the rank that owns it,
        and travels while the backward pass goes on.  The last call steps all arrays,
        and returns whether it did; the others return False.  It raises the error of a
        gradient that was refused, on all ranks.  All ranks pass the arrays in the same
        order.  `clip_norm`, `mechanic` and optimizers that find their rate can be used
        then, too.

        Parameters
        ----------
        which : int, or a key of params, or a tuple of keys
            Its index in the order of params (as in `state`), or its keys: ``"W"``,
            ``("layers", 0)``.  If params is a dict with ints for keys, an int is a key.
            A tuple may be one key of params.
        grad : ndarray or None
            Its gradient; None: it has no gradient and is skipped, as in ``step``.
            (A gradient of zeros is not None: it makes a normal update.)

        Returns
        -------
        bool
            Whether it was updated: False for None, or if `skip_nonfinite` skipped it.

        Raises
        ------
        TypeError, ValueError
            As for ``step``.  Or the array was updated already in this step.  Or
            something needs all gradients at once: `clip_norm`, `accumulate`,
            `mechanic`, `curvature`, or an optimizer that finds its rate from sums.
        RuntimeError
            As for ``step``.

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

    def __repr__(self) -> str:
        own = {k: v for k, v in self._options.items() if k != "groups"}
        options = told(own, self._fields)
        groups = ", ".join(map(repr, self.param_groups))
        return (
            f"<{type(self).__name__} of {self._plan.total:,} elements in "
            f"{len(self._tree.leaves)} arrays, "
            f"t={self.t}{options and ', '}{options}: {groups}>"
        )
