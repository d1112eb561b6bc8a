"""What a monitor sees in a run."""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["info", "warning", "error"]
Rate = Literal["too high", "too low"]


class Finding(NamedTuple):
    """What a monitor sees in a run.

    kind : one word or two: "diverging", "flat", ...; see `Monitor`.
    severity : "info", "warning" or "error".
    step : the step in which it was seen, counted from 1.
    since : the step from which it holds.
    evidence : the figures.
    cause, remedy : the likely cause, and what to do.
    rate : what it says of the learning rate: "too high", "too low" or None.

    ``str(finding)`` is all of it in a sentence.
    """

    kind: str
    severity: Severity
    step: int
    since: int
    evidence: str
    cause: str
    remedy: str
    rate: Rate | None = None

    def __str__(self) -> str:
        told = [f"{self.kind} at step {self.step}", self.evidence, self.cause]
        text = ": ".join(part for part in told if part)
        return f"{text}; {self.remedy}" if self.remedy else text
