"""A run of an optimizer on a function, and how it ends."""

from __future__ import annotations

import numpy as np
from scipy.optimize import OptimizeResult

from lrcore._shared.types import Array
from lrcore.finder import RangeTest
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.scipy._problem import Problem

CONVERGED, LIMIT, NOT_FINITE, STOPPED = 0, 1, 2, 99
MESSAGES = {
    CONVERGED: "Optimization terminated successfully: the gradient is within gtol.",
    LIMIT: "Maximum number of iterations has been exceeded.",
    NOT_FINITE: "The function or its gradient is not finite: is lr too high?",
    STOPPED: "`callback` raised `StopIteration`.",
}


class Run:
    """A run of an optimizer on a problem, and the best point that it has seen."""

    def __init__(
        self, problem: Problem, x: Array, opt: Optimizer, found: RangeTest | None
    ) -> None:
        self._problem, self.x, self._opt, self._found = problem, x, opt, found
        self.nit = 0
        self._best: tuple[float, Array, Array] | None = None
        self._look()

    def step(self) -> None:
        """Take a step, and evaluate the function where it leads."""
        self._opt.step(self._gradient, self.value)
        self.nit += 1
        self._look()

    def status(self, limit: float, maxiter: int) -> int | None:
        """Return why the run ends here, or None."""
        if not (np.isfinite(self.value) and np.isfinite(self._gradient).all()):
            return NOT_FINITE
        if self._problem.slope(self.x, self._gradient) <= limit:
            return CONVERGED
        return LIMIT if self.nit >= maxiter else None

    def result(self, status: int) -> OptimizeResult:
        """Return the last point if the run has converged, else the best."""
        best = None if status == CONVERGED else self._best_of_all()
        value, x, gradient = best or (self.value, self.x.copy(), self._gradient)
        found = OptimizeResult(
            x=x,
            fun=value,
            jac=gradient,
            nit=self.nit,
            nfev=self._problem.nfev,
            njev=self._problem.njev,
            status=status,
            success=status == CONVERGED,
            message=MESSAGES[status],
        )
        if self._found is not None:
            found.lr_find = self._found
        return found

    def _best_of_all(self) -> tuple[float, Array, Array] | None:
        """Return the best point, of averages too; None if no value was finite."""
        for name in sorted(self._opt._kept()) if self.nit else ():
            with self._opt.averaged(name):
                self._look()
        return self._best

    def _look(self) -> None:
        self.value, self._gradient = self._problem.at(self.x)
        # NaN is not less than anything.
        if np.isfinite(self.value) and (not self._best or self.value < self._best[0]):
            self._best = self.value, self.x.copy(), self._gradient
