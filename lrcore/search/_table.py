"""Tables of trials: as text, as HTML, and as columns for pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lrcore._shared.words import shortened
from lrcore.search._trial import Trial, short
from lrcore.space._dimension import Dimension

_WIDEST = 60  # characters of a cell of the HTML table

_STYLE = (
    "border-collapse:collapse;font-size:90%", "padding:2px 8px;text-align:right",
)  # fmt: skip

Space = Mapping[str, Dimension]


def rows(trials: Sequence[Trial], space: Space, mode: str) -> list[list[str]]:
    """Return a row of headings, and a row for each trial."""
    names, value = map(shortened, space), "loss" if mode == "min" else "value"
    # The last column has the state; it is empty for "finished".
    found = [["trial", *names, value, "steps", "seconds", ""]]
    for trial in trials:
        found.append(
            [
                str(trial.number),
                *(shortened(short(trial.params[name])) for name in space),
                short(trial.value),
                str(len(trial.losses) or ""),
                f"{trial.seconds:.1f}",
                "" if trial.state == "finished" else trial.state,
            ]
        )
    if not any(row[-3] for row in found[1:]):  # no trial has reported steps
        found = [row[:-3] + row[-2:] for row in found]
    return found


def text(trials: Sequence[Trial], space: Space, mode: str, most: int | None) -> str:
    """Return the table of the first `most` trials, its columns aligned."""
    cells = rows(trials[:most], space, mode)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i == len(row) - 1 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    left = len(trials) - len(cells) + 1
    return "\n".join(lines + ([f"and {left} more"] if left else []))


def html(trials: Sequence[Trial], space: Space, mode: str, most: int) -> str:
    """Return the table of the first `most` trials for a notebook."""
    table, cell = _STYLE
    lines = []
    for i, row in enumerate(rows(trials[:most], space, mode)):
        tag = "td" if i else "th"
        each = (f'<{tag} style="{cell}">{_escaped(text)}</{tag}>' for text in row)
        lines.append(f"<tr>{''.join(each)}</tr>")
    left = len(trials) - len(lines) + 1
    more = f"<p>and {left} more</p>" if left else ""
    return f'<table style="{table}">{"".join(lines)}</table>{more}'


def _escaped(text: str) -> str:
    """Return text escaped for HTML, shortened at its end."""
    return escape(text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}...")


def columns(trials: Sequence[Trial], space: Space) -> dict[str, list[Any]]:
    """Return the columns of `Search.to_dataframe`."""
    return {
        "number": [trial.number for trial in trials],
        "state": [trial.state for trial in trials],
        "value": [trial.value for trial in trials],
        **{f"params_{name}": [t.params[name] for t in trials] for name in space},
        "steps": [len(trial.losses) for trial in trials],
        "seconds": [trial.seconds for trial in trials],
    }
