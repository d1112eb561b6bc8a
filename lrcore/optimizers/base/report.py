"""The measurements of a step."""

from __future__ import annotations

from math import inf, nan
from typing import Any, Literal, NamedTuple

from lrcore._shared.domains import choice
from lrcore._shared.html import table
from lrcore._shared.types import Measured
from lrcore._shared.words import shortened
from lrcore.optimizers.base.planned import Planned

Found = tuple[int, float, bool, Measured]

PER = choice("group", "tensor")


class Report(NamedTuple):
    """The last step of an optimizer, of a group or of an array.

    t : number of steps taken, this one included.
    lr : learning rate, of the first group: the one that its optimizer found, if any.
    grad_norm : norm of the gradients times `grad_scale`, before they were clipped.
    clip : the norm after clipping / grad_norm; 1 if nothing was clipped, or if a
        gradient is not finite.
    update_norm : norm of the change of the params by the rule, weight decay and
        mechanic, before `project` and Lookahead; 0 if the step was skipped.
    param_norm : norm of the params after that change; NaN if there is no change.
    update_ratio : update_norm / param_norm.  About 1e-3 is usual.
    nonfinite : elements of the gradients that were infinite or NaN.
    applied : whether the step was taken.
    sharpness : the curvature of the loss along the step before, ``dp dg / |dp|^2``, of
        the changes dp of the params and dg of the gradients, before they are clipped;
        None without `curvature`.  NaN in the first step, and if nothing has changed.
    edge : ``1 - (dp g) / (dp g')``, with the gradients g' before and g after that step;
        None without `curvature`.  Below 1, the loss still falls along it; above 1, the
        step went too far; above 2, a loss that is quadratic along it has risen.
        In a step of plain gradient descent it is `sharpness` times lr, whose value at
        the edge of stability is 2 (Cohen et al. 2021, arXiv 2103.00065); without
        momentum, any preconditioner of the step counts (Cohen et al. 2022, arXiv
        2207.14484).  With momentum, 2 is no limit.

    Norms of float32 arrays are right to 2^-20.
    """

    t: int
    lr: float
    grad_norm: float
    clip: float
    update_norm: float
    param_norm: float
    update_ratio: float
    nonfinite: int
    applied: bool
    sharpness: float | None = None
    edge: float | None = None

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        values = (f"{x:.4g}" if isinstance(x, float) else str(x) for x in self)
        return table("Report", zip(self._fields, values, strict=True))


class Reporting(Planned):
    """The part of `Optimizer` that reports steps (`telemetry`)."""

    __slots__ = ()

    @property
    def report(self) -> Report | None:
        """The last step in numbers (`telemetry`); None before the first."""
        found = self._plan.report_of(0, None)
        if found is None:
            self._check_reports()
            return None
        return _report(found, self._plan.curvature_of(None))

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
        leaves = self._tree.leaves
        by_tensor = PER.check("per", per) == "tensor"
        self._check_reports()
        each = [(leaf.group, [i]) for i, leaf in enumerate(leaves)]
        if not by_tensor:
            each = [(k, []) for k in range(len(self.param_groups))]
            for i, leaf in enumerate(leaves):
                each[leaf.group][1].append(i)
        found = self._plan.reports_of(each)
        sums = [self._plan.curvature_of(own) for _, own in each]
        reports = [
            one and _report(one, along) for one, along in zip(found, sums, strict=True)
        ]
        if not by_tensor:
            return tuple(reports)
        paths = [leaf.path for leaf in leaves]
        return dict(zip(paths, reports, strict=True))

    def _check_reports(self) -> None:
        if not self.telemetry:
            raise AttributeError(
                f"no report is kept; construct {shortened(type(self).__name__)} "
                "with telemetry=True"
            )


def _report(found: Found, sums: tuple[float, float, float] | None) -> Report:
    """Return the report of what `Plan.report_of` and `curvature_of` have found."""
    t, lr, applied, (grad_norm, left, param_norm, update_norm, bad) = found
    values = (
        t,
        lr,
        grad_norm,
        1.0 if bad or left == grad_norm else left / grad_norm,
        update_norm,
        param_norm,
        ratio(update_norm, param_norm),
        bad,
        applied,
        *((None, None) if sums is None else along(*sums)),
    )
    return tuple.__new__(Report, values)  # Report(...) takes four times as long


def along(turned: float, length: float, slope: float) -> tuple[float, float]:
    """Return `sharpness` and `edge`.

    turned, length, slope : the products of dp with dg, dp and g'.
    """
    sharpness = turned / length if length > 0 else nan
    return sharpness, -turned / slope if slope else nan


def ratio(update_norm: float, param_norm: float) -> float:
    """Return the update-to-weight ratio; of params that are 0, infinity or NaN."""
    if param_norm:
        return update_norm / param_norm
    return inf if update_norm > 0 else nan
