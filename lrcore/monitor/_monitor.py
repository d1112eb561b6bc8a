"""A monitor that tells a bad learning rate from a good one."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any, Literal

from lrcore._core import Commit
from lrcore._shared.also import Also
from lrcore._shared.domains import real, whole
from lrcore._shared.foreign import no_optimizer
from lrcore._shared.words import shown
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import Recorder
from lrcore.monitor._known import Kind, known
from lrcore.monitor._log import Log, Logs, checked, numbers
from lrcore.monitor._looks import FIRST_LOOK, Looks
from lrcore.monitor._reading import given, reader, with_series
from lrcore.monitor._rollback import Rollback
from lrcore.monitor._validated import Validated
from lrcore.monitor._windows import Windows
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.report import Report


class Monitor(Looks, Logs):
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
        The number of steps that the run will have, from the first on: a rate is too low
        only if it will still be so at the end.  Default None: the length of the
        schedule, which is 1,000 steps for one without an end, as `Function`; without a
        schedule, or after that length, the run is judged as if it ended now.
    schedule : callable or None
        The schedule of the run, as ``Cosine(0.1, total=1000)``, for a monitor without
        an optimizer, or one whose ``lr`` is set in each step: so that no rate is called
        too low that is to rise.  Only its shape counts.  A function that is no
        `Schedule` needs `total`.  Default None: the optimizer's own, if its lr is a
        `Schedule` by now.

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

    An update takes one to three microseconds.  Memory is bounded, at about 250 KB:
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
        self._due = FIRST_LOOK
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
        step = self._read(loss) if self._read else given(loss, lr, report)
        if (
            validation is not None
            or entropy is not nan  # the default; another NaN is told as none, too
            or kl is not nan
            or explained_variance is not nan
        ):
            step = with_series(
                step, self._sign, validation, entropy, kl, explained_variance
            )
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
