"""What a monitor reads from a saved dict, checked before anything is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from lrcore._shared.domains import real, steps
from lrcore._shared.words import kind, listed, shown
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import Recorder

FLOATS, COUNTS = ("first", "alarm"), ("due", "quiet", "begin")
"""Attributes of a monitor, without their underscore, that a saved dict has."""

_COUNT = steps(0)

_TEXTS = ("kind", "evidence", "cause", "remedy")
_SEVERITIES = ("info", "warning", "error")
_RATES = (None, "too high", "too low")


class Resumed(NamedTuple):
    """The contents of a saved dict."""

    numbers: dict[str, float]
    findings: list[Finding]
    seen: dict[str, int]
    told: set[str]
    recorder: Recorder


def read(saved: Any, wanted: Collection[str]) -> Resumed:
    """Return the contents of what ``Monitor.state_dict`` returned.

    Raises
    ------
    TypeError, ValueError
        It is something else; the message names the entry.
    """
    if not isinstance(saved, Mapping) or saved.keys() != wanted:
        raise ValueError(f"saved: expected {list(wanted)}, found {shown(saved)}")
    numbers = {name: real(name, saved[name], "a number") for name in FLOATS}
    for name in COUNTS:
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
    return Resumed(
        numbers,
        findings,
        {k: _COUNT.check("seen", step) for k, step in seen.items()},
        set(told),
        Recorder.restored(saved["recorder"]),
    )


def _finding(name: str, values: Any) -> Finding:
    """Return the finding whose fields these are."""
    if not isinstance(values, (list, tuple)) or len(values) != len(Finding._fields):
        raise TypeError(
            f"{name}: expected the values of {listed(Finding._fields, str)}, found "
            f"{shown(values)}"
        )
    finding = Finding(*values)
    texts = all(isinstance(getattr(finding, field), str) for field in _TEXTS)
    if not texts or (finding.severity not in _SEVERITIES or finding.rate not in _RATES):
        raise ValueError(f"{name}: expected a finding, found {shown(values)}")
    step = _COUNT.check(f"{name}: step", finding.step)
    since = _COUNT.check(f"{name}: since", finding.since)
    return finding._replace(step=step, since=since)
