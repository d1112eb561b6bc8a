"""A finding: what a monitor reports about a run."""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["info", "warning", "error"]
Rate = Literal["too high", "too low"]


class Finding(NamedTuple):
    """What a monitor reports about a run.

    kind : one or two words: "diverging", "flat", ...; `Monitor` lists them.
    severity : "info", "warning" or "error".
    step : the step at which it was found, counted from 1.
    since : the first step from which it holds.
    evidence : the numbers that show it.
    cause, remedy : the likely cause, and advice.
    rate : its verdict on the learning rate: "too high", "too low" or None.
    factor : by what the remedy multiplies the learning rate, about; None: by nothing.

    ``str(finding)`` is all of this as one sentence.
    """

    kind: str
    severity: Severity
    step: int
    since: int
    evidence: str
    cause: str
    remedy: str
    rate: Rate | None = None
    factor: float | None = None

    def __str__(self) -> str:
        told = [f"{self.kind} at step {self.step}", self.evidence, self.cause]
        text = ": ".join(part for part in told if part)
        return f"{text}; {self.remedy}" if self.remedy else text
