"""The comparison of two runs: which times changed beyond the noise."""

from __future__ import annotations

from textwrap import fill

from lrcore.bench.cases import Run
from lrcore.bench.clock import Timing
from lrcore.bench.units import seconds

LEAST_CHANGE = 0.02
"""Smaller changes are not marked, even if both runs were steady."""


def compare(old: Run, new: Run, width: int = 80) -> str:
    """Return a table of old and new times, with changes beyond the noise marked."""
    before = {result.case: result for result in old.results}
    parts = []
    if old.machine != new.machine:
        parts.append(
            fill(f"old: {_machine_line(old)}; new: {_machine_line(new)}", width)
        )
    for result in new.results:
        if (was := before.get(result.case)) is None:
            parts.append(f"{result.case}\n  not in the old run")
            continue
        name_width = max(map(len, result.times))
        lines = [
            str(result.case),
            f"  {'':<{name_width}} {'old':>11} {'new':>11} {'new/old':>8}",
        ]
        for name, t in result.times.items():
            if (then := was.times.get(name)) is None:
                lines.append(f"  {name:<{name_width}} {'':>11} {seconds(t.median):>11}")
                continue
            lines.append(
                f"  {name:<{name_width}} {seconds(then.median):>11} "
                f"{seconds(t.median):>11} {t.median / then.median:>8.2f}  "
                f"{changed(then, t)}".rstrip()
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def changed(old: Timing, new: Timing) -> str:
    """Return "faster" or "slower" if the change is beyond the noise, else "".

    The noise is the sum of both interquartile ranges, and at least `LEAST_CHANGE`.
    """
    noise = (old.high - old.low) + (new.high - new.low)
    if abs(new.median - old.median) <= max(noise, LEAST_CHANGE * old.median):
        return ""
    return "faster" if new.median < old.median else "slower"


def _machine_line(run: Run) -> str:
    m = run.machine
    return f"{m['processor']}, {m['isa']}, lrcore {m['versions']['lrcore']}"
