"""A monitor that tells a bad learning rate from a good one."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite, isnan, nan
from typing import Any, Literal, Self

from lrcore._core import Commit
from lrcore._shared.also import Also
from lrcore._shared.domains import real, whole
from lrcore._shared.foreign import no_optimizer
from lrcore._shared.words import shown
from lrcore.monitor._blocks import CHUNK, MEASURED, Step
from lrcore.monitor._diagnosis import beyond_doubt, well
from lrcore.monitor._figures import figure
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import Recorder
from lrcore.monitor._known import Kind, known
from lrcore.monitor._log import Log, Logs, checked, numbers
from lrcore.monitor._reading import given, reader
from lrcore.monitor._results import Results
from lrcore.monitor._rollback import Rollback
from lrcore.monitor._validated import Validated
from lrcore.monitor._windows import TWICE, WINDOW, Windows
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.report import Report

# A diagnosis takes about 100 us, so it is made at 64 steps, 128, 256 and so on.
_FIRST_LOOK, _FURTHER = 64, 2
# Report a verdict on the rate once it has held for half of the run, another finding for
# 2/3: step >= 2 or 3 x first seen.  While a verdict waits for that, look sooner.
_HELD_RATE, _HELD, _SOONER = 2, 3, 1.5
# After an alarm, wait clamp(step / 8, 8, 32) steps before the next diagnosis.
_QUIET = (8, 32)
# Report these kinds as soon as they are seen, and rates too high `beyond_doubt`.
_AT_ONCE = ("non-finite loss", "rising", "data shift", "overfitting")
# A first loss is that of a run in progress if the optimizer has taken more steps.
_UNSEEN = 20
# The most findings that are kept; the oldest are dropped.
_KEPT = 100
# The attributes that a look changes.
_CHANGING = (
    "findings", "_recorder", "_first", "_alarm", "_due", "_room", "_quiet", "_begin",
    "_seen", "_told", "_known", "_windows", "_validated",
)  # fmt: skip


class Monitor(Results, Logs):
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
        run was well, and the rate is multiplied by the finding's `factor`: 0.1 where
        the loss grew or leapt, 1/3 else; 1/2 if it has none.  The finding "rolled back"
        says so.  This takes two copies of the params and of the optimizer's state.
        Default None: only report the finding.
    max_rollbacks : int
        The most rollbacks; after these, findings are only reported.  Default 10.
    also : ndarray, nested list / tuple / dict of ndarray, optional
        Other arrays, of any dtype, that a rollback sets back in place: the running
        statistics of batch normalisation, say.
    log : callable or None
        Called after each update as ``log(step, values, findings)``: the number of the
        update, counted from 1; a dict of its numbers by name, all floats; and a list of
        the findings that are new.  `lrcore.trackers` has ready ones.  Default None.
    kind : {"adversarial", "policy"} or None
        What the loss is, if it does not tell how good the params are: that of a player
        of a game (a GAN), or that of a policy gradient.  The rate is not judged by it.
        Default None: it tells.
    floor : float or None
        The least loss that is possible (of an objective, the greatest), if you know it:
        where half of the way to it is done, the rate is neither too high nor too low.
        One above the first loss is not used.  Default None: 0, as long as no loss is
        below 0.
    total : int or None
        The number of steps that the run will have: a rate is too low only if it will
        still be so at the end.  Default None: the length of the schedule; without one,
        the run is judged as if it ended now.
    schedule : callable or None
        The schedule of the run, as ``Cosine(0.1, total=1000)``, for a monitor without
        an optimizer, or one whose ``lr`` is set in each step: so that no rate is called
        too low that is to rise.  Only its shape counts.  It needs `total`, if it is
        another function of the step.  Default None: the optimizer's own, if its lr is a
        `Schedule`.

    Attributes
    ----------
    findings : list of Finding
        The last 100 findings, the oldest first.  A kind is listed once for as long as
        it lasts, and only after it has held for 2/3 of the run, a verdict on the rate
        for half of it, so that a single bad step does not count.  Listed at once are
        "non-finite loss", "rising", "data shift", "overfitting", and "diverging" where
        the loss is above ten times the first, or rises on.
        The run is diagnosed after 64, 128, 256, ... steps, and sooner while a verdict
        waits; when a loss is not finite or exceeds a thousand times the first; when the
        median of 32 losses has risen far above the least such, twice in a row; and when
        a validation loss has risen.

    Notes
    -----
    The kinds of findings, by what they say of the learning rate:

    - too high: ``non-finite loss``, ``diverging``, ``rising`` (late in the run, it
      rises), ``unstable`` (the loss leapt up and did not come back), ``no descent``
      (the steps lead back and forth);
    - too low: ``flat``, ``slow``;
    - neither: ``non-finite steps``, ``oscillating``, ``update ratio``,
      ``gradient exploding``, ``gradient vanishing``, ``plateau``, ``overfitting``,
      ``data shift``, ``entropy collapse``, ``large policy steps``, ``value function``,
      ``not judged`` (by such a loss), ``rolled back``, ``healthy``, ``unknown`` (there
      are too few steps, or the loss has not fallen).

    The monitor assumes that a loss which falls is better.  With reports, it does not
    need to know how far it can fall, so that losses below 0 are judged as well; by
    losses alone, "too low" is found only where none is below 0.  An optimizer that
    maximizes (by its first group) has an objective instead of a loss: pass it to
    `update` as it is.  The history, findings and pictures show it with the opposite
    sign, as `lr_find` does.

    "Too low" refers to the steps so far.  A run that has only begun has not descended
    yet, which is why `findings` waits; a run that starts near its optimum, as in
    fine-tuning, cannot descend far.  A monitor of an optimizer that has taken more than
    20 steps before the first update has not seen how the run began: it calls no rate
    too low.  bench/README.md says how often the monitor is right on runs on which it
    was not tuned.

    The names of the numbers are ``loss`` and ``validation``, as they were passed;
    ``lr``; and with telemetry ``grad_norm``, ``update_norm``, ``param_norm``,
    ``update_ratio`` and ``nonfinite``, as in `Report`; ``entropy``, ``kl`` and
    ``explained_variance``, as they were passed.  What is not known is left out.
    The update is complete before the log is called: an error of the log passes to the
    caller, and the step is recorded.  A copy of a monitor and one that is unpickled
    have no log: set ``monitor.log``.

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
        log: Log | None = None,
        kind: Kind | None = None,
        floor: float | None = None,
        total: int | None = None,
        schedule: Callable[[int], float] | None = None,
    ) -> None:
        if opt is not None and not isinstance(opt, Optimizer):
            raise no_optimizer(opt, "an optimizer of lrcore or None")
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
        self._log = checked(log)
        self.opt = opt
        self.findings: list[Finding] = []
        self._sign = (
            -1.0 if opt is not None and opt.param_groups[0]["maximize"] else 1.0
        )
        self._recorder = Recorder()
        self._first = nan
        self._due = _FIRST_LOOK
        self._room = 0  # with fewer recent steps than these, a step is only recorded
        self._alarm = -inf  # unless its loss is above this, or NaN
        self._quiet = 0  # before this step, an alarm starts no diagnosis
        self._begin = 0  # the step of the last rollback
        self._seen: dict[str, int] = {}  # step at which a rate or kind was first seen
        self._told: set[str] = set()  # kinds that were reported, and still hold
        self._known = known(kind, floor, total, schedule, opt, self._sign)
        self._windows = Windows()
        self._validated = Validated()
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
        entropy: float = nan,
        kl: float = nan,
        explained_variance: float = nan,
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
        entropy, kl, explained_variance : float
            Of a policy, in steps that have them: the mean entropy of its actions, the
            Kullback-Leibler divergence from the policy of the data in nats, and the
            share of the returns' variance that the value function explains.  Default
            NaN: not known.

        Raises
        ------
        TypeError
            A loss or the rate is no number, or the report is no `Report`.
        ValueError
            An array that a rollback is to set back is read-only.
        RuntimeError
            The optimizer is in use, or another thread has changed it, in an update that
            copies it or rolls it back.  In each case, nothing has been recorded.
        Exception
            What the log raises.  The step has been recorded.
        """
        if type(loss) is not float:
            loss = real("loss", loss, "a number")
        loss *= self._sign
        recent = self._recorder.recent
        step = (loss, *(self._read() if self._read else given(lr, report)))
        if (
            validation is not None
            or entropy is not nan  # the default; another NaN is told as none, too
            or kl is not nan
            or explained_variance is not nan
        ):
            _, rate, g, p, u, bad = step[:MEASURED]
            step = (
                loss, rate, g, p, u, bad,
                nan if validation is None
                else self._sign * real("validation", validation, "a number"),
                real("entropy", entropy, "a number"),
                real("kl", kl, "a number"),
                real("explained_variance", explained_variance, "a number"),
            )  # fmt: skip
        new: list[Finding] = []
        if len(recent) < self._room and loss <= self._alarm and validation is None:
            recent.append(step)
        else:
            new = self._look(step)
        if self._log is not None:
            values = numbers(step, self._sign, validation is not None)
            self._log(self._recorder.steps, values, new)
        return new[0] if new else None

    def validation(self, loss: float) -> Finding | None:
        """Record a validation loss with the last step, as `update` does.

        The log is passed that step's number, the validation loss alone, and the new
        findings.

        Raises
        ------
        TypeError
            The loss is no number.
        """
        loss = real("loss", loss, "a number")
        new, recorder = self._copy(), self._recorder.with_validation(self._sign * loss)
        new._recorder = recorder
        found: list[Finding] = []
        commit = Commit()
        if new._suspects(self._sign * loss) and recorder.steps:
            commit, found = new._tell(recorder.steps, new._diagnosed())
        self._become(new, commit)
        if self._log is not None:
            self._log(self._recorder.steps, {"validation": loss}, found)
        return found[0] if found else None

    def _look(self, step: Step) -> list[Finding]:
        """Record a step, and diagnose the run if it is time; return new findings.

        A copy of the monitor does so.  When all is done, this one becomes the copy by
        one commit: an error on the way, of a signal's handler say, changes nothing.
        """
        loss, recent, validation = step[0], self._recorder.recent, step[MEASURED]
        is_first = isfinite(loss) and not isfinite(self._first)
        alarm = 1e3 * abs(loss) if is_first else self._alarm
        count = self._recorder.steps + 1
        is_time = count >= (self._due if loss <= alarm else self._quiet)
        is_window, is_validated = count % WINDOW == 0, not isnan(validation)
        windows = self._windows
        if is_window:
            losses = [each[0] for each in recent[1 - WINDOW :]]
            windows = windows.followed_by([*losses, loss], count)
            is_time |= windows.above == TWICE
        if (
            not (is_time or is_first or is_validated or count == 1)
            and len(recent) < CHUNK - 1
        ):
            if is_window:
                self._record(step, windows)
            else:
                recent.append(step)
            return []
        new, commit = self._copy(), Commit()
        found: list[Finding] = []
        new._recorder = self._recorder.with_step(step)
        if count == 1 and self.opt is not None and self.opt.t > _UNSEEN:
            new._known = self._known._replace(unseen=self.opt.t - 1)
        if is_first:
            new._first, new._alarm = loss, alarm
        new._windows = windows
        if is_validated:
            is_time |= new._suspects(validation)
        if is_time:
            new._quiet = count + min(max(_QUIET[0], count // 8), _QUIET[1])
            if new._windows.above == TWICE:
                shifted = new._windows.of_other_data(new._since_rollback(), new._first)
                new._windows = shifted or new._windows
            commit, found = new._tell(count, new._diagnosed())
        self._become(new, commit)
        return found

    def _suspects(self, validation: float) -> bool:
        """Take up a validation loss; return whether it may be worth a diagnosis."""
        self._validated = self._validated.followed_by(validation)
        return self._validated.suspect and "overfitting" not in self._told

    def _become(self, new: Self, commit: Commit) -> None:
        """Become a copy, by one commit."""
        new._room = _room(new._recorder, new._due)
        for name in _CHANGING:
            commit.set(self, name, getattr(new, name))
        commit.make()

    def _record(self, step: Step, windows: Windows) -> None:
        """Record a step and a window, by one commit: a shorter way to become a copy."""
        commit, recorder = Commit(), self._recorder.with_step(step)
        commit.set(self, "_recorder", recorder)
        commit.set(self, "_windows", windows)
        commit.set(self, "_room", _room(recorder, self._due))
        commit.make()

    def _copy(self) -> Self:
        """Return a copy for a look, whose attributes are set, not changed in place.

        By name, as `vars(self)` would make all later reads of attributes slower.
        """
        new = object.__new__(type(self))
        for name in (*_CHANGING, "_rollback"):
            setattr(new, name, getattr(self, name))
        return new

    def _tell(self, step: int, found: list[Finding]) -> tuple[Commit, list[Finding]]:
        """List new findings; return a commit with a rollback, if any, and them."""
        seen = {f.rate or f.kind: step for f in found}
        self._seen = {what: self._seen.get(what, step) for what in seen}
        told = self._told & {f.kind for f in found}
        new = [f for f in found if f.kind not in told and self._is_sure(f, step)]
        self._told = told | {f.kind for f in new}
        waits = any(f.rate and f.kind not in self._told for f in found)
        self._due = int(step * (_SOONER if waits else _FURTHER))
        commit = Commit()
        if self._rollback:
            commit, new = self._react(self._rollback, step, found, new)
        self.findings = [*self.findings, *new][-_KEPT:]
        return commit, new

    def _is_sure(self, finding: Finding, step: int) -> bool:
        """Whether a finding has held long enough to be told, or cannot wait."""
        if finding.kind in _AT_ONCE:
            return True
        if finding.rate == "too high" and beyond_doubt(self._watched()):
            return True
        held = _HELD_RATE if finding.rate else _HELD
        return step >= held * self._seen[finding.rate or finding.kind]

    def _react(
        self, rollback: Rollback, step: int, found: list[Finding], new: list[Finding]
    ) -> tuple[Commit, list[Finding]]:
        """Let a commit roll the run back if its rate is too high, or keep it as it is.

        Return the commit and the new findings.
        """
        high = [f for f in found if f.rate == "too high"]
        told = [f for f in high if f.kind in self._told]
        commit = Commit(rollback.lock, unchanged=True)
        factor = told[0].factor or 0.5 if told else 1.0
        back = rollback.back(told[0].since, factor, commit) if told else None
        if back is None:
            commit = Commit()  # needs no lock
            if not high and well(self._since_rollback(), self._first):
                rollback.keep(step, commit)
            return commit, new
        self._begin, self._told, self._seen = step, set(), {}
        self._windows = Windows()
        self._due = step + _FIRST_LOOK
        said = told[0]._replace(
            kind="rolled back",
            severity="warning",
            since=back,
            remedy=f"params and optimizer are again those of step {back}, and the "
            f"learning rate is {figure(factor)} times what it was there",
            rate=None,
        )
        return commit, [said, *(f for f in new if f not in high)]


def _room(recorder: Recorder, due: int) -> int:
    """Return below how many recent steps another one is only recorded.

    That is until the next diagnosis is due, a window ends, or the steps are taken up.
    """
    count = len(recorder.recent)
    window = count + WINDOW - count % WINDOW
    return min(due - recorder.taken, window, CHUNK) - 1
