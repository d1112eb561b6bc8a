"""A run as JSON, and read from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lrcore._shared.words import shortened, shown
from lrcore.bench.cases import Case, Divider, Result, Run
from lrcore.bench.clock import Calls, Timing

LAYOUT = 1
"""The version of the JSON's layout, under the key that marks such a file."""
KEY = "lrcore bench"


def to_json(run: Run) -> str:
    """Return a run as JSON, to keep and to compare."""
    return json.dumps(
        {
            KEY: LAYOUT,
            "machine": run.machine,
            "settings": run.settings,
            "results": [
                {
                    **result._asdict(),
                    "case": result.case._asdict(),
                    "times": {k: _fields(t) for k, t in result.times.items()},
                }
                for result in run.results
            ],
            "left_out": run.left_out,
            "dividers": {dtype: d._asdict() for dtype, d in run.dividers.items()},
        },
        indent=1,
    )


def from_json(text: str) -> Run:
    """Return the run of a text by `to_json`; raise ValueError for another text."""
    try:
        found: Any = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or KEY not in found:
        raise ValueError("expected a file that `lrcore bench --json` wrote")
    if found[KEY] != LAYOUT:
        raise ValueError(
            f"expected layout {LAYOUT}, found {shown(found[KEY])}: write it anew with "
            "`lrcore bench --json`"
        )
    try:
        return Run(
            found["machine"],
            found["settings"],
            [_result(item) for item in found["results"]],
            found["left_out"],
            {dtype: Divider(**d) for dtype, d in found.get("dividers", {}).items()},
        )
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"expected a whole file, found one without {shortened(str(error))}"
        ) from None


def _fields(t: Timing) -> dict[str, Any]:
    return {**t._asdict(), "calls": t.calls and t.calls._asdict()}


def _timing(item: Mapping[str, Any]) -> Timing:
    calls = item.get("calls")
    return Timing(**{**item, "calls": calls and Calls(**calls)})


def _result(item: Mapping[str, Any]) -> Result:
    times = {name: _timing(t) for name, t in item["times"].items()}
    return Result(**{**item, "case": Case(**item["case"]), "times": times})


def load(path: str) -> Run:
    """Read a run from a file."""
    return from_json(Path(path).read_text("utf-8"))
