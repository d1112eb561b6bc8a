"""A monitor that tells a bad learning rate from a good one."""

from __future__ import annotations

from math import inf, isfinite, nan
from os import PathLike
from typing import TYPE_CHECKING, Literal

from lrcore._shared.domains import real, whole
from lrcore._shared.words import shown
from lrcore.monitor._diagnosis import diagnose, healthy, well
from lrcore.monitor._finding import Finding, Rate
from lrcore.monitor._history import CHUNK, History, Recorder
from lrcore.monitor._reading import given, reader
from lrcore.monitor._rollback import Rollback
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A diagnosis takes some 100 us, so the next one comes at twice as many steps.
_FIRST_LOOK, _FURTHER = 64, 2
# A finding is told when it holds since a step of which this is so many times as far.
_HELD = 3
# Steps between two alarms that are heeded: an eighth of the run, but so many.
_QUIET = (8, 32)
# What does not wait until it has held for a while.
_AT_ONCE = ("non-finite loss", "diverging")
# Findings kept; the oldest go first.
_KEPT = 100


class Monitor:
    """Watch a run step by step, and say what is wrong with its learning rate.

    Parameters
    ----------
    opt : Optimizer or None
        Whose learning rate is watched; with ``telemetry=True``, its reports too.
        Without reports it finds fewer rates that are too low.  Default None: hand the
        rate to `update`.
    on_divergence : {"rollback"} or None
        On a learning rate that is too high, set params and optimizer back to the
        last time when all was well, and halve the learning rate.  Takes two copies of
        the params and of the optimizer's state, and sets ``opt.t`` back.  Default None:
        only say so.
    max_rollbacks : int
        Then only say so.  Default 10.

    Attributes
    ----------
    findings : list of Finding
        What was found, in the order of time: the last 100.  A kind stands there once
        for as long as it lasts, and when it has held for two thirds of the run (but at
        once where the loss diverges or is not finite): no single bad step counts.
        The run is looked at after 64, 128, 256, ... steps, and where a loss is a
        thousand times the first or is not finite.

    Notes
    -----
    The kinds of findings, and what they say of the learning rate:

    - too high: ``non-finite loss``, ``diverging``, ``unstable`` (leapt up and stayed),
      ``no descent`` (steps lead back and forth);
    - too low: ``flat``, ``slow``;
    - neither: ``non-finite steps``, ``oscillating``, ``update ratio``,
      ``gradient exploding``, ``gradient vanishing``, ``plateau``, ``overfitting``,
      ``rolled back``, ``healthy``.

    The loss is taken to be bounded by about 0.  "Too low" is said of the steps so far:
    a run that has only begun has not descended either, so that `findings` waits; one
    that starts near its optimum, as in fine-tuning, has not far to go.
    bench/README.md has how often it is right, on runs that it was not tuned on.

    An update takes one to three microseconds, and the memory is bounded (some 200 KB):
    steps are joined to at most 1,024 blocks.

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
    ) -> None:
        if opt is not None and not isinstance(opt, Optimizer):
            raise TypeError(f"opt: expected an optimizer or None, found {shown(opt)}")
        if on_divergence not in (None, "rollback"):
            raise ValueError(
                'on_divergence: expected "rollback" or None, found '
                f"{shown(on_divergence)}"
            )
        if on_divergence and opt is None:
            raise ValueError('opt: expected an optimizer for "rollback", found None')
        max_rollbacks = whole("max_rollbacks", max_rollbacks, "an int >= 0", least=0)
        self.opt = opt
        self.findings: list[Finding] = []
        self._recorder = Recorder()
        self._first = nan
        self._due = _FIRST_LOOK
        self._next = 0  # so many recent steps are looked at
        self._alarm = -inf  # a loss above it, or NaN, is looked at at once
        self._quiet = 0  # alarms before this step are not heeded
        self._begin = 0  # the step of the last rollback
        self._seen: dict[str, int] = {}  # rates and kinds, by the first step of each
        self._told: set[str] = set()  # kinds
        self._read = reader(opt)
        self._rollback = None
        if opt is not None and on_divergence:
            self._rollback = Rollback(opt, max_rollbacks)

    # --- each step -----------------------------------------------------------------

    def update(
        self,
        loss: float,
        validation: float | None = None,
        *,
        lr: float = nan,
        report: Report | None = None,
    ) -> Finding | None:
        """Take up a step, after ``opt.step``; return what is newly found, or None.

        Parameters
        ----------
        loss : float
            Of the step's batch, from which its gradient came.
        validation : float or None
            Loss of validation data, in the steps that have one.  Default None.
        lr : float
            Where the monitor has no optimizer, the step's learning rate.
        report : Report or None
            The same for its report.

        Raises
        ------
        TypeError
            A loss or the rate is no number, or the report none.  Nothing has been taken
            up then.
        """
        if type(loss) is not float:
            loss = real("loss", loss, "a number")
        if validation is not None:
            validation = real("validation", validation, "a number")
        recent = self._recorder.recent
        recent.append((loss, *(self._read() if self._read else given(lr, report))))
        if validation is not None:
            self._recorder.validation(validation)
        if len(recent) < self._next and loss <= self._alarm:
            return None
        return self._look(loss)

    def validation(self, loss: float) -> None:
        """Give the last step a validation loss, as `update` takes it too.

        Raises
        ------
        TypeError
            The loss is no number.
        """
        self._recorder.validation(real("loss", loss, "a number"))

    def _look(self, loss: float) -> Finding | None:
        """Take up recent steps where they are enough; diagnose where it is time."""
        recorder = self._recorder
        step = recorder.taken + len(recorder.recent)
        if not isfinite(self._first) and isfinite(loss):  # until then, each comes here
            self._first, self._alarm = loss, 1e3 * abs(loss)
        alarmed = not loss <= self._alarm
        if len(recorder.recent) == CHUNK:
            recorder.take_up()
        if step < (self._quiet if alarmed else self._due):
            return self._wait()
        self._quiet = step + min(max(_QUIET[0], step // 8), _QUIET[1])
        return self._wait(self._tell(step, self._diagnosed()))

    def _wait(self, finding: Finding | None = None) -> Finding | None:
        """Set after how many recent steps to look again."""
        self._next = min(CHUNK, self._due - self._recorder.taken)
        return finding

    def _since_rollback(self) -> History:
        history = self._recorder.history()
        k = int(history.step.searchsorted(self._begin, "right"))
        return History(*(values[k:] for values in history))

    def _diagnosed(self) -> list[Finding]:
        return diagnose(self._since_rollback(), self._first)

    def _tell(self, step: int, found: list[Finding]) -> Finding | None:
        """Note what is new among what was found, and return the worst of it."""
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
        """Set the run back where its rate is too high; return what is new."""
        high = [f for f in found if f.rate == "too high"]
        told = [f for f in high if f.kind in _AT_ONCE or f in new]
        back = rollback.back(told[0].since) if told else None
        if back is None:
            if not high and well(self._since_rollback(), self._first):
                rollback.keep(step)
            return new
        self._begin, self._told, self._seen = step, set(), {}
        self._due = step + _FIRST_LOOK
        said = told[0]._replace(
            kind="rolled back",
            severity="warning",
            since=back,
            remedy=f"params and optimizer are again those of step {back}, and the "
            "learning rate is half of what it was",
            rate=None,
        )
        return [said, *(f for f in new if f not in high)]

    # --- what it saw ---------------------------------------------------------------

    @property
    def history(self) -> History:
        """The run so far, in at most some 1,024 blocks of steps."""
        return self._recorder.history()

    def diagnose(self) -> list[Finding]:
        """Return what there is to say of the run as if it ended here, the worst first.

        One finding of the kind "healthy" where nothing is wrong.
        """
        return self._diagnosed() or [healthy(self.history, self._first)]

    def rate(self) -> Rate | Literal["fine"]:
        """Return what `diagnose` says of the learning rate."""
        rates = [finding.rate for finding in self.diagnose() if finding.rate]
        return rates[0] if rates else "fine"

    def _all(self) -> list[Finding]:
        """Return what was found, and what would be if the run ended here."""
        return self.findings + [f for f in self.diagnose() if f.kind not in self._told]

    def plot(
        self, path: str | PathLike[str] | None = None, title: str | None = None
    ) -> Figure:
        """Draw the run, into a file or for a notebook: see `lrcore.plots.dashboard`."""
        from lrcore.monitor import _dashboard

        return _dashboard.dashboard(self.history, self._all(), path, title)

    def report_html(
        self, path: str | PathLike[str], title: str = "Training run"
    ) -> None:
        """Write a page of its own: the pictures, the findings; it loads nothing.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        from lrcore.monitor import _page

        _page.write(path, self.history, self._all(), title)

    def __repr__(self) -> str:
        steps = self._recorder.taken + len(self._recorder.recent)
        return f"<Monitor: {steps} steps, learning rate {self.rate()}>"
