"""Looks at a run: when a step is more than recorded, and what is told then."""

from __future__ import annotations

from math import isfinite, isnan
from typing import Self

from lrcore._core import Commit
from lrcore.monitor._blocks import CHUNK, MEASURED, Step
from lrcore.monitor._diagnosis import beyond_doubt, well
from lrcore.monitor._figures import figure
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import Recorder
from lrcore.monitor._results import Results
from lrcore.monitor._rollback import Rollback
from lrcore.monitor._windows import TWICE, WINDOW, Windows

# A diagnosis takes some 0.3 ms (bench/test_monitor.py), so it is made at 64 steps, 128,
# 256 and so on.
FIRST_LOOK, _FURTHER = 64, 2
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


class Looks(Results):
    """The part of `Monitor` that looks at a run, and the attributes it needs."""

    _alarm: float
    _due: int
    _room: int
    _quiet: int

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
        self._due = step + FIRST_LOOK
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
