"""The command ``lrcore schedule``."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys

import numpy as np

from lrcore._shared import pictures
from lrcore._shared.types import Array
from lrcore._shared.words import filled, printable
from lrcore.cli.arguments import MOST, picture_path, positive
from lrcore.schedules import Schedule, parse

_ROWS = 11
_LARGEST = 1e300  # means of larger values overflow
_BARS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.,-=+*#"  # where the terminal has no block elements


def add_schedule(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``schedule``."""
    parser = commands.add_parser(
        "schedule",
        help="show a learning-rate schedule: values, a curve, a picture",
        description="Show a learning-rate schedule, which you write as in Python: "
        '"Cosine(0.1, total=900).warmup(100)", "Constant(0.1).then(500, 0.01)", '
        '"1 - Linear(1, 0, total=50)".  The text is parsed, not run as code.',
    )
    parser.add_argument("schedule", metavar="SCHEDULE", help="the schedule, in quotes")
    parser.add_argument(
        "--steps", type=positive, metavar="N",
        help="show steps 0 to N - 1 (default: the schedule's length and a tenth)",
    )  # fmt: skip
    parser.add_argument(
        "--plot", type=picture_path, metavar="FILE.png", help="draw it to a file"
    )
    parser.add_argument(
        "--log", action="store_true", help="with --plot: use a logarithmic axis"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print the schedule and all values as JSON"
    )
    form.add_argument(
        "--csv", action="store_true", help="print all steps and values as CSV"
    )
    parser.set_defaults(run=_schedule)


def _schedule(arguments: argparse.Namespace) -> None:
    if arguments.plot:
        pictures.require()
    schedule = parse(arguments.schedule)
    steps = arguments.steps or min(schedule._shown_steps, MOST)
    values = schedule(np.arange(steps))
    if arguments.json:
        finite = [v if math.isfinite(v) else None for v in values.tolist()]
        print(json.dumps({"schedule": schedule.to_dict(), "values": finite}))
    elif arguments.csv:
        print("step,value")
        print("\n".join(f"{t},{v!r}" for t, v in enumerate(values.tolist())))
    else:
        print(_told(schedule, values))
    if arguments.plot:
        # Imported here, as this needs matplotlib.
        from lrcore.plots import schedules

        schedules(schedule, steps, arguments.plot, log=arguments.log)
        if not (arguments.json or arguments.csv):
            print(f"\nThe schedule in a picture: {printable(arguments.plot)}")


def _told(schedule: Schedule, values: Array) -> str:
    """Return the curve and a table of some steps, with the highest and lowest."""
    shown = np.linspace(0, len(values) - 1, _ROWS).round().astype(int)
    notes = {int(values.argmin()): "lowest", int(values.argmax()): "highest"}
    rows = sorted({*shown.tolist(), *notes})
    width = max(len("step"), len(str(rows[-1])))
    table = [
        f"{t:>{width}}  {values[t]:<12.6g}{notes.get(t, '')}".rstrip() for t in rows
    ]
    return "\n".join(
        [
            filled(repr(schedule), indent=4),
            "",
            curve(values),
            "",
            f"{'step':>{width}}  value",
            *table,
        ]
    )


def curve(values: Array) -> str:
    """Return values as a line of blocks of eight heights, as wide as the terminal."""
    width = min(shutil.get_terminal_size().columns, 88, len(values))
    parts = np.array_split(np.clip(values, -_LARGEST, _LARGEST), width)
    means = np.array([part.mean() for part in parts])
    low, high = means.min(), means.max()
    heights = np.full(width, 7)
    if high > low:
        heights = np.minimum((means - low) / (high - low) * 8, 7).astype(int)
    try:
        _BARS.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        bars = _PLAIN
    else:
        bars = _BARS
    return "".join(bars[k] for k in heights)
