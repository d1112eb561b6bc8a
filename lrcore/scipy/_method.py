"""An optimizer as a method of ``scipy.optimize.minimize``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from inspect import signature
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, OptimizeWarning

from lrcore._shared.domains import FLAG, NONNEGATIVE, count
from lrcore._shared.types import Array
from lrcore._shared.words import listed, shown
from lrcore.finder import RangeTest, lr_find
from lrcore.optimizers import available, get
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.scipy._problem import Problem
from lrcore.scipy._run import STOPPED, Run

_MAXITER = count(0)


def method(name: str, **options: Any) -> Method:
    """Return an optimizer as a method of ``scipy.optimize.minimize``.

    A step of the optimizer is an iteration.  The result is the point at which the
    gradient is within `gtol`.  If there is none, it is the point of the least value
    seen, as steps of a constant rate end around the minimum; the averages of an
    optimizer that keeps some count as seen, too.

    Parameters
    ----------
    name : str
        A name of ``lrcore.optimizers.available()``, in upper or lower case.
    **options
        The optimizer's arguments, such as ``lr=0.01``: a number, a schedule, or "find",
        which finds a rate by :func:`lrcore.lr_find` at the first point (some 900
        calls, which `nfev` counts; the result has the test as `lr_find`).

    Returns
    -------
    Method
        For the argument `method` of `minimize`, which then takes

        - `jac`: a function, or True; without it the gradient is taken by differences,
          which calls the function once for each variable;
        - `bounds`: after each step x moves to the nearest point within them;
        - `callback(xk)` or `callback(intermediate_result)`; StopIteration ends the run;
        - `tol`, or the option `gtol`, default 1e-5: the run ends when the largest
          element of the gradient is at most that (with bounds, of the move that they
          leave to it);
        - the options `maxiter` (default 10,000), `disp` and `return_all`.

        `x0` is taken as float64.  The result's `status` is 0 if the gradient is within
        gtol, 1 after maxiter, 2 where the function or its gradient was not finite, 99
        if the callback ended the run.

    Raises
    ------
    TypeError, ValueError
        There is no optimizer of this name, or it refuses an option.  `minimize` raises
        ValueError if it passes constraints.

    Examples
    --------
    >>> import lrcore.scipy
    >>> from scipy.optimize import minimize, rosen, rosen_der
    >>> adam = lrcore.scipy.method("adam", lr=0.02)
    >>> found = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=adam)
    >>> found.success, found.x.round(3)
    (True, array([1., 1.]))
    """
    if options.get("comm") is not None:
        raise ValueError(
            f"comm: expected None in a method of minimize, found "
            f"{shown(options['comm'])}; each process would end by its own gradient: "
            "share the step of a loop of your own, by lrcore.Adam(params, comm=...)"
        )
    if isinstance(name, str):
        known = {kind.lower(): kind for kind in available()}
        name = known.get(name.lower(), name)
    made = Method(get(name), options)
    made._optimizer(np.zeros(1))  # for its errors, now and not when a run begins
    return made


class Method(NamedTuple):
    """What :func:`method` returns.

    kind : the class of the optimizer.
    options : its arguments.
    """

    kind: type[Optimizer]
    options: dict[str, Any]

    def __call__(
        self,
        fun: Callable[..., Any],
        x0: Any,
        args: tuple[Any, ...] = (),
        jac: Callable[..., Any] | None = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Callable[..., Any] | None = None,
        maxiter: int = 10_000,
        tol: float | None = None,
        gtol: float | None = None,
        disp: bool = False,
        return_all: bool = False,
        **unknown: Any,
    ) -> OptimizeResult:
        """Minimize; `minimize` calls this, and its documentation has the arguments."""
        maxiter = _MAXITER.check("maxiter", maxiter)
        given = next((limit for limit in (gtol, tol) if limit is not None), 1e-5)
        limit = NONNEGATIVE.check("gtol" if gtol is not None else "tol", given)
        disp, return_all = (
            FLAG.check("disp", disp),
            FLAG.check("return_all", return_all),
        )
        self._tell(hess, hessp, constraints, unknown)

        x = np.array(x0, float)
        problem = Problem(fun, jac, args, bounds, len(x))
        problem.clip(x)
        run = Run(problem, x, *self._made(problem, x))
        report = _reporter(callback)
        points = [x.copy()]
        while (status := run.status(limit, maxiter)) is None:
            run.step()
            points += [x.copy()] if return_all else []
            try:
                report(run)
            except StopIteration:
                status = STOPPED
                break
        found = run.result(status)
        if return_all:
            found.allvecs = points
        if disp:
            print(
                f"{found.message}\n"
                f"         Current function value: {found.fun:f}\n"
                f"         Iterations: {found.nit}\n"
                f"         Function evaluations: {found.nfev}\n"
                f"         Gradient evaluations: {found.njev}"
            )
        return found

    @property
    def _finds_lr(self) -> bool:
        lr = self.options.get("lr")
        return isinstance(lr, str) and lr == "find"

    def _optimizer(self, x: Array, **defaults: Any) -> Optimizer:
        """Return the optimizer of a vector; an `lr` to be found is its default yet.

        defaults : arguments that `options` may replace.
        """
        given = {**defaults, **self.options}
        if self._finds_lr:
            del given["lr"]
        return self.kind(x, **given)

    def _made(self, problem: Problem, x: Array) -> tuple[Optimizer, RangeTest | None]:
        """Return the optimizer of x, and the range test if lr is to be found."""
        opt = self._optimizer(
            x, **({"project": problem.clip} if problem.bounded else {})
        )
        if not self._finds_lr:
            return opt, None
        found = lr_find(opt, lambda _: problem.at(x), lambda: repeat(None))
        if found.confidence:
            found.apply(opt)
        return opt, found

    def _tell(
        self, hess: Any, hessp: Any, constraints: Any, unknown: dict[str, Any]
    ) -> None:
        """Refuse constraints; warn of what is not used, as SciPy's methods do."""
        if np.any(constraints):
            raise ValueError(
                f"constraints: expected none, found {shown(constraints)}; "
                f"{self.kind.__name__} takes bounds only: add a penalty to the function"
            )
        if hess is not None or hessp is not None:
            warnings.warn(
                f"Method {self.kind.__name__} does not use second derivatives "
                "(hess, hessp).",
                RuntimeWarning,
                stacklevel=4,
            )
        if unknown:
            warnings.warn(
                f"Unknown solver options: {listed(unknown)}",
                OptimizeWarning,
                stacklevel=4,
            )


def _reporter(callback: Callable[..., Any] | None) -> Callable[[Run], None]:
    """Return a function that passes an iteration to the callback."""
    if callback is None:
        return lambda run: None
    if {*signature(callback).parameters} == {"intermediate_result"}:

        def report(run: Run) -> None:
            now = OptimizeResult(x=run.x.copy(), fun=run.value)
            callback(intermediate_result=now)

        return report
    return lambda run: callback(run.x.copy())
