"""A monitor that tells a bad learning rate from a good one."""

from __future__ import annotations

from math import inf, isfinite, nan
from typing import Any, Literal

from lrcore._core import Commit
from lrcore._shared.also import Also
from lrcore._shared.domains import real, whole
from lrcore._shared.words import shown
from lrcore.monitor._diagnosis import well
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import CHUNK, Recorder
from lrcore.monitor._reading import given, reader
from lrcore.monitor._results import Results
from lrcore.monitor._rollback import Rollback
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.report import Report

# A diagnosis takes about 100 us, so it is made at 64 steps, 128, 256 and so on.
_FIRST_LOOK, _FURTHER = 64, 2
# Report a finding once it has held for 2/3 of the run: step >= 3 x first seen.
_HELD = 3
# After an alarm, wait clamp(step / 8, 8, 32) steps before the next diagnosis.
_QUIET = (8, 32)
# Report these kinds as soon as they are seen.
_AT_ONCE = ("non-finite loss", "diverging")
# The most findings that are kept; the oldest are dropped.
_KEPT = 100


class Monitor(Results):
    """Watch a run step by step, and say what is wrong with its learning rate.

    Parameters
    ----------
    opt : Optimizer or None
        The optimizer that is watched: its learning rate, and with ``telemetry=True``
        its reports, without which fewer rates that are too low are found.  Default
        None: pass the rate to `update`.
    on_divergence : {"rollback"} or None
        With "rollback", if the learning rate is found to be too high, the params and
        the optimizer, ``opt.t`` included, are set back to the last step at which the
        run was well, and the rate is halved.  This takes two copies of the params and
        of the optimizer's state.  Default None: only report the finding.
    max_rollbacks : int
        The most rollbacks; after these, findings are only reported.  Default 10.
    also : ndarray, nested list / tuple / dict of ndarray, optional
        Other arrays, of any dtype, that a rollback sets back in place: the running
        statistics of batch normalisation, say.

    Attributes
    ----------
    findings : list of Finding
        The last 100 findings, the oldest first.  A kind is listed once for as long as
        it lasts, and only after it has held for 2/3 of the run, so that a single bad
        step does not count; "diverging" and "non-finite loss" are listed at once.
        The run is diagnosed after 64, 128, 256, ... steps, and when a loss is not
        finite or exceeds a thousand times the first.

    Notes
    -----
    The kinds of findings, by what they say of the learning rate:

    - too high: ``non-finite loss``, ``diverging``, ``unstable`` (the loss leapt up and
      stayed there), ``no descent`` (the steps lead back and forth);
    - too low: ``flat``, ``slow``;
    - neither: ``non-finite steps``, ``oscillating``, ``update ratio``,
      ``gradient exploding``, ``gradient vanishing``, ``plateau``, ``overfitting``,
      ``rolled back``, ``healthy``, ``unknown`` (there are too few steps).

    The monitor assumes that the loss cannot fall far below 0.  An optimizer that
    maximizes (by its first group) has an objective instead of a loss: pass it to
    `update` as it is.  The history, findings and pictures show it with the opposite
    sign, as `lr_find` does.

    "Too low" refers to the steps so far.  A run that has only begun has not descended
    yet, which is why `findings` waits; a run that starts near its optimum, as in
    fine-tuning, cannot descend far.  bench/README.md says how often the monitor is
    right on runs on which it was not tuned.

    An update takes one to three microseconds.  Memory is bounded, at about 200 KB:
    steps are joined to at most 1,024 blocks.

    To resume a run, save ``monitor.state_dict()`` with the params and the optimizer's
    state, and load it after them.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> w = np.ones(2)
    >>> opt = lrcore.SGD(w, lr=0.3, telemetry=True)
    >>> monitor = lrcore.Monitor(opt)
    >>> curvature = np.array([1.0, 7.0])  # steps above 2 / 7 = 0.286 diverge
    >>> for step in range(200):
    ...     loss = 0.5 * (curvature * w**2).sum()
    ...     _ = opt.step(curvature * w)
    ...     finding = monitor.update(loss)
    ...     if finding and finding.rate:
    ...         print(finding.kind, "in step", finding.step)
    diverging in step 46
    >>> monitor.rate()
    'too high'
    """

    def __init__(
        self,
        opt: Optimizer | None = None,
        *,
        on_divergence: Literal["rollback"] | None = None,
        max_rollbacks: int = 10,
        also: Any = None,
    ) -> None:
        if opt is not None and not isinstance(opt, Optimizer):
            raise TypeError(f"opt: expected an optimizer or None, found {shown(opt)}")
        named = isinstance(on_divergence, str) and on_divergence == "rollback"
        if on_divergence is not None and not named:
            raise ValueError(
                'on_divergence: expected "rollback" or None, found '
                f"{shown(on_divergence)}"
            )
        if on_divergence and opt is None:
            raise ValueError('opt: expected an optimizer for "rollback", found None')
        max_rollbacks = whole("max_rollbacks", max_rollbacks, "an int >= 0", least=0)
        others = Also(also)
        self.opt = opt
        self.findings: list[Finding] = []
        self._sign = (
            -1.0 if opt is not None and opt.param_groups[0]["maximize"] else 1.0
        )
        self._recorder = Recorder()
        self._first = nan
        self._due = _FIRST_LOOK
        self._next = 0  # the number of recent steps at which `_look` is called
        self._alarm = -inf  # `_look` is called at once if a loss is above it, or NaN
        self._quiet = 0  # before this step, an alarm starts no diagnosis
        self._begin = 0  # the step of the last rollback
        self._seen: dict[str, int] = {}  # step at which a rate or kind was first seen
        self._told: set[str] = set()  # kinds that were reported, and still hold
        self._read = reader(opt)
        self._rollback = None
        if opt is not None and on_divergence:
            self._rollback = Rollback(opt, max_rollbacks, others)

    def update(
        self,
        loss: float,
        validation: float | None = None,
        *,
        lr: float = nan,
        report: Report | None = None,
    ) -> Finding | None:
        """Record a step, after ``opt.step``; return a new finding, or None.

        Parameters
        ----------
        loss : float
            Loss of the batch whose gradient the step has used; the objective, if the
            optimizer maximizes it.
        validation : float or None
            Loss of validation data, in steps that have one.  Default None.
        lr : float
            Learning rate of the step, for a monitor without an optimizer.
        report : Report or None
            Report of the step, for a monitor without an optimizer.

        Raises
        ------
        TypeError
            A loss or the rate is no number, or the report is no `Report`.  Nothing has
            been recorded then.
        """
        if type(loss) is not float:
            loss = real("loss", loss, "a number")
        loss *= self._sign
        if validation is not None:
            validation = self._sign * real("validation", validation, "a number")
        recent = self._recorder.recent
        recent.append((loss, *(self._read() if self._read else given(lr, report))))
        if validation is not None:
            self._recorder.validation(validation)
        if len(recent) < self._next and loss <= self._alarm:
            return None
        return self._look(loss)

    def validation(self, loss: float) -> None:
        """Record a validation loss with the last step, as `update` does.

        Raises
        ------
        TypeError
            The loss is no number.
        """
        self._recorder.validation(self._sign * real("loss", loss, "a number"))

    def _look(self, loss: float) -> Finding | None:
        """Move recent steps into blocks, and diagnose the run, when it is time."""
        recorder = self._recorder
        step = recorder.taken + len(recorder.recent)
        if not isfinite(self._first) and isfinite(loss):  # the first that is finite
            self._first, self._alarm = loss, 1e3 * abs(loss)
        alarmed = not loss <= self._alarm
        if len(recorder.recent) == CHUNK:
            recorder.take_up()
        if step < (self._quiet if alarmed else self._due):
            return self._wait()
        self._quiet = step + min(max(_QUIET[0], step // 8), _QUIET[1])
        return self._wait(self._tell(step, self._diagnosed()))

    def _wait(self, finding: Finding | None = None) -> Finding | None:
        """Set the number of recent steps at which to look again; return the finding."""
        self._next = min(CHUNK, self._due - self._recorder.taken)
        return finding

    def _tell(self, step: int, found: list[Finding]) -> Finding | None:
        """Add new findings to the list, and return the worst of them, or None."""
        self._due = step * _FURTHER
        seen = {f.rate or f.kind: step for f in found}
        self._seen = {what: self._seen.get(what, step) for what in seen}
        self._told &= {f.kind for f in found}
        new = [
            f
            for f in found
            if f.kind not in self._told
            and (f.kind in _AT_ONCE or step >= _HELD * self._seen[f.rate or f.kind])
        ]
        self._told |= {f.kind for f in new}
        if self._rollback:
            new = self._react(self._rollback, step, found, new)
        self.findings += new
        del self.findings[:-_KEPT]
        return new[0] if new else None

    def _react(
        self, rollback: Rollback, step: int, found: list[Finding], new: list[Finding]
    ) -> list[Finding]:
        """Roll the run back if its rate is too high; return the new findings."""
        high = [f for f in found if f.rate == "too high"]
        told = [f for f in high if f.kind in _AT_ONCE or f in new]
        commit = Commit(rollback.lock, unchanged=True)
        back = rollback.back(told[0].since, commit) if told else None
        if back is None:
            if not high and well(self._since_rollback(), self._first):
                rollback.keep(step)
            return new
        commit.set(self, "_begin", step)
        commit.set(self, "_told", set())
        commit.set(self, "_seen", {})
        commit.set(self, "_due", step + _FIRST_LOOK)
        commit.make()
        said = told[0]._replace(
            kind="rolled back",
            severity="warning",
            since=back,
            remedy=f"params and optimizer are again those of step {back}, and the "
            "learning rate is half of what it was",
            rate=None,
        )
        return [said, *(f for f in new if f not in high)]
