"""The numbers of a range test as text, and as a table of HTML."""

from __future__ import annotations

from math import isfinite
from textwrap import fill

import numpy as np

from lrcore._shared.html import table
from lrcore.finder._levels import loss_range
from lrcore.finder._outcome import Outcome

_ROWS = 16
"""The rates of the sweep that are shown at most."""


def as_text(test: Outcome) -> str:
    """Return some rates of the sweep with bars, the trials and the suggestion."""
    lines = [f"{'lr':>9} {'loss':>10} {'smoothed':>10}"]
    rows = np.unique(np.linspace(0, max(0, len(test.lrs) - 1), _ROWS).astype(int))
    shown = test.smoothed[np.isfinite(test.smoothed)]
    low, high = loss_range(shown, shown) if len(shown) else (0.0, 0.0)
    for i in rows if len(test.lrs) else ():
        value = test.smoothed[i]
        part = min((value - low) / (high - low), 1.0) if high > low else 0.0
        bar = "#" * round(1 + 39 * part) if isfinite(value) else ""
        numbers = f"{test.lrs[i]:>9.2g} {test.losses[i]:>10.4g} {value:>10.4g}"
        lines.append(f"{numbers}  {bar}".rstrip())
    if len(test.trial_lrs):
        lines += ["", f"{'trial':>9} {'loss':>10} {'steps':>10}"]
        tried = zip(test.trial_lrs, test.trial_losses, test.trial_steps, strict=True)
        for lr, loss, steps in tried:
            mark = "  <" if lr == test.suggestion else ""
            lines.append(f"{lr:>9.2g} {loss:>10.4g} {steps:>10}{mark}")
    lines += ["", _of_rules(test) or "no rule can read it"]
    verdict = f"suggestion {test.suggestion:.3g}, confidence {test.confidence:.2f}"
    lines += [fill(f"{verdict}: {test.reason}", 80)]
    return "\n".join(lines)


def as_html(test: Outcome) -> str:
    """Return a table for notebooks."""
    tried = zip(test.trial_lrs, test.trial_losses, strict=True)
    trials = ", ".join(f"{loss:.4g} at {lr:.2g}" for lr, loss in tried)
    return table(
        "Range test",
        [
            ("suggestion", f"{test.suggestion:.3g}"),
            ("confidence", f"{test.confidence:.2f}"),
            ("reason", test.reason),
            ("rules", _of_rules(test) or "none can read the curve"),
            ("losses of trials", trials or "none"),
            ("sweep", f"{len(test.lrs)} rates"),
            ("evaluations", f"{test.evaluations:,}"),
        ],
    )


def _of_rules(test: Outcome) -> str:
    """Return the rate of each rule, in a line."""
    return ", ".join(f"{name} {lr:.2g}" for name, lr in test.suggestions.items())
