"""Saving and resuming a monitor; a saved dict is checked before anything changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lrcore._core import Commit
from lrcore._shared.domains import POSITIVE, real, steps
from lrcore._shared.types import Array
from lrcore._shared.words import kind, listed, shown
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import Recorder
from lrcore.monitor._known import Known
from lrcore.monitor._reading import Read, reader
from lrcore.monitor._rollback import Rollback
from lrcore.monitor._validated import Validated
from lrcore.monitor._windows import Windows
from lrcore.optimizers.base.optimizer import Optimizer

_FLOATS, _COUNTS = ("first", "alarm"), ("due", "quiet", "begin")
"""Attributes of a monitor, without their underscore, that a saved dict has."""
_LATER = ("unseen", "windows", "validated")
"""Entries that earlier versions did not save: a monitor goes on without them."""

_COUNT = steps(0)

_TEXTS = ("kind", "evidence", "cause", "remedy")
_SEVERITIES = ("info", "warning", "error")
_RATES = (None, "too high", "too low")


class Resumable:
    """The methods that save and resume a `Monitor`, and the attributes they need."""

    opt: Optimizer | None
    findings: list[Finding]
    _recorder: Recorder
    _rollback: Rollback | None
    _known: Known
    _windows: Windows
    _validated: Validated
    _seen: dict[str, int]
    _told: set[str]
    _read: Read | None

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` takes.

        For a rollback, it includes the params and states that are kept.
        """
        return {
            **{name: getattr(self, "_" + name) for name in (*_FLOATS, *_COUNTS)},
            "findings": [tuple(finding) for finding in self.findings],
            "seen": dict(self._seen),
            "told": sorted(self._told),
            "recorder": self._recorder.state_dict(),
            "rollback": self._rollback.state_dict() if self._rollback else None,
            "unseen": self._known.unseen,
            "windows": np.array(self._windows, float),
            "validated": np.array(self._validated, float),
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue where the monitor that gave this ``state_dict()`` was.

        Load the params and the optimizer's state first: if the saved monitor had no
        rollback and this one has, they are what it goes back to.

        Raises
        ------
        TypeError, ValueError
            It is not from ``state_dict()``, or it belongs to other params.  In this
            case, nothing is changed.

        Examples
        --------
        >>> import lrcore
        >>> before, after = lrcore.Monitor(), lrcore.Monitor()
        >>> before.update(2.0, lr=0.1)
        >>> after.load_state_dict(before.state_dict())
        >>> after.history.loss
        array([2.])
        """
        new, commit = _checked(saved, self.state_dict()), Commit()
        if self._rollback:
            self._rollback.load(saved["rollback"], new.recorder.steps, commit)
        for name, value in new.numbers.items():
            commit.set(self, "_" + name, value)
        commit.set(self, "findings", new.findings)
        commit.set(self, "_recorder", new.recorder)
        commit.set(self, "_seen", new.seen)
        commit.set(self, "_told", new.told)
        commit.set(self, "_known", self._known._replace(unseen=new.unseen))
        commit.set(self, "_windows", new.windows)
        commit.set(self, "_validated", new.validated)
        commit.set(self, "_room", 0)
        commit.make()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the log, and the function that reads the optimizer.

        Two monitors that write one file would make a muddle of it.
        """
        left_out = ("_read", "_log")
        return {name: x for name, x in vars(self).items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _read=reader(state["opt"]), _log=None)


class _Resumed(NamedTuple):
    """The contents of a saved dict."""

    numbers: dict[str, float]
    findings: list[Finding]
    seen: dict[str, int]
    told: set[str]
    recorder: Recorder
    unseen: int
    windows: Windows
    validated: Validated


def _checked(saved: Any, wanted: Mapping[str, Any]) -> _Resumed:
    """Return the contents of what ``Monitor.state_dict`` returned.

    Raises
    ------
    TypeError, ValueError
        It is something else; the message names the entry.
    """
    if isinstance(saved, Mapping) and saved.keys() == wanted.keys() - {*_LATER}:
        saved = {**saved, "unseen": 0, "windows": _NO_WINDOWS, "validated": _NONE}
    if not isinstance(saved, Mapping) or saved.keys() != wanted.keys():
        raise ValueError(f"saved: expected {list(wanted)}, found {shown(saved)}")
    numbers = {name: real(name, saved[name], "a number") for name in _FLOATS}
    for name in _COUNTS:
        numbers[name] = _COUNT.check(name, saved[name])
    if not isinstance(saved["findings"], (list, tuple)):
        raise TypeError(f"findings: expected a list, found {kind(saved['findings'])}")
    findings = [
        _finding(f"findings[{k}]", values) for k, values in enumerate(saved["findings"])
    ]
    seen, told = saved["seen"], saved["told"]
    if not isinstance(seen, Mapping) or not all(isinstance(k, str) for k in seen):
        raise TypeError(f"seen: expected a dict by names, found {shown(seen)}")
    if not isinstance(told, list) or not all(isinstance(k, str) for k in told):
        raise TypeError(f"told: expected a list of names, found {shown(told)}")
    return _Resumed(
        numbers,
        findings,
        {k: _COUNT.check("seen", step) for k, step in seen.items()},
        set(told),
        Recorder.restored(saved["recorder"]),
        _COUNT.check("unseen", saved["unseen"]),
        Windows.restored(_numbers("windows", saved["windows"], _NO_WINDOWS)),
        Validated.restored(_numbers("validated", saved["validated"], _NONE)),
    )


_NO_WINDOWS, _NONE = np.array(Windows(), float), np.array(Validated(), float)


def _numbers(name: str, saved: Any, like: Array) -> Array:
    """Check a saved array of as many float64 numbers as another has."""
    if (
        isinstance(saved, np.ndarray)
        and saved.dtype == np.float64
        and saved.shape == like.shape
    ):
        return saved
    raise ValueError(f"{name}: expected an array of state_dict, found {shown(saved)}")


def _finding(name: str, values: Any) -> Finding:
    """Return a finding from its saved fields; earlier versions had no factor."""
    all_or_old = (len(Finding._fields), len(Finding._fields) - 1)
    if not isinstance(values, (list, tuple)) or len(values) not in all_or_old:
        raise TypeError(
            f"{name}: expected the values of {listed(Finding._fields, str)}, found "
            f"{shown(values)}"
        )
    finding = Finding(*values)
    texts = [getattr(finding, field) for field in _TEXTS]
    if (
        not all(isinstance(text, str) and text.isprintable() for text in texts)
        or finding.severity not in _SEVERITIES
        or finding.rate not in _RATES
    ):
        raise ValueError(f"{name}: expected a finding, found {shown(values)}")
    step = _COUNT.check(f"{name}: step", finding.step)
    since = _COUNT.check(f"{name}: since", finding.since)
    if finding.factor is not None:
        POSITIVE.check(f"{name}: factor", finding.factor)
    return finding._replace(step=step, since=since)
