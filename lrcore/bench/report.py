"""What a run is told by: tables, JSON, and the comparison of two runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

from lrcore._shared.words import shortened, shown
from lrcore.bench import peers, picture
from lrcore.bench.bars import Bar, fastest, found
from lrcore.bench.cases import Case, Result, Run
from lrcore.bench.clock import Timing

LAYOUT = 1
"""The version of the JSON's layout; the key says what file it is."""
KEY = "lrcore bench"

NOISY = 0.05
"""Half an interquartile range, over the median, beyond which a run is no good."""

LEAST_CHANGE = 0.02
"""A smaller change than this is never marked, however steady both runs were."""


# --- tables ---------------------------------------------------------------------------


def tables(run: Run, width: int = 80) -> str:
    """Return a table a case, and who was left out and why."""
    parts = [_about(run, width)]
    parts += ["\n".join(_table(result, run, width)) for result in run.results]
    parts.append(_notes(run, width))
    return "\n\n".join(part for part in parts if part)


def _about(run: Run, width: int) -> str:
    m = run.machine
    versions = ", ".join(f"{name} {v}" for name, v in m["versions"].items())
    return fill(
        f"{m['processor']}, {m['cores']} cores, {m['isa']}; Python {m['python']}, "
        f"{versions}; median and half the interquartile range of "
        f"{run.settings['rounds']} turns.",
        width,
    )


def _table(result: Result, run: Run, width: int) -> Iterator[str]:
    elements, times = result.case.elements, result.times
    ours = next(iter(times.values()))
    limit = fastest(result, peers.Traffic.name)
    yield str(result.case)
    name_width = max(map(len, times))
    yield (
        f"  {'':<{name_width}} {'time':>11} {'+-':>6} {'ns/elem':>8} {'GB/s':>6} "
        f"{'of limit':>8} {'x ours':>7}"
    )
    for name, t in times.items():
        fraction = f"{times[limit].median / t.median:8.0%}" if limit else " " * 8
        yield (
            f"  {name:<{name_width}} {seconds(t.median):>11} {spread(t):>6.1%} "
            f"{figures(t.median / elements * 1e9):>8} "
            f"{figures(result.step_bytes / t.median / 1e9):>6} "
            f"{fraction} {figures(t.median / ours.median):>7}"
        )
    yield (
        f"  a step moves {result.step_bytes / elements:.3g} bytes an element; "
        f"our state takes {result.state_bytes / elements:.3g}"
    )
    always = _always(run)
    if here := {k: v for k, v in result.left_out.items() if (k, v) not in always}:
        yield fill(f"left out: {_list(here.items())}", width - 2, initial_indent="  ",
                   subsequent_indent="    ")  # fmt: skip


def _notes(run: Run, width: int) -> str:
    """Return what holds for all cases, and the cases without a result."""
    lines = []
    if always := _always(run):
        lines.append(f"absent or left out: {_list(always)}")
    undecayed = {kind.name for kind in peers.PEERS if not kind.decays}
    if less := sorted(
        {
            name
            for result in run.results
            for name in undecayed & result.times.keys()
            if peers.settings(result.case.optimizer).get("weight_decay")
        }
    ):
        lines.append(f"without the weight decay, which they lack: {', '.join(less)}")
    lines += [f"no result: {case}: {why}" for case, why in run.left_out.items()]
    every = [spread(t) for result in run.results for t in result.times.values()]
    if every and median(every) > NOISY:
        lines.append(
            f"the times vary by {median(every):.0%}: something else ran on the machine "
            "meanwhile, and they say little"
        )
    return "\n".join(fill(line, width, subsequent_indent="  ") for line in lines)


def _always(run: Run) -> list[tuple[str, str]]:
    """Return who was left out of every case, for one reason."""
    each = [set(result.left_out.items()) for result in run.results]
    common = set.intersection(*each) if each else set()
    return sorted(common)


def _list(items: Iterable[tuple[str, str]]) -> str:
    """Return names with their reasons, those of one reason together."""
    names: dict[str, list[str]] = {}
    for name, why in items:
        names.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(few)} ({why})" for why, few in names.items())


def bars_table(run: Run, asked: Sequence[Bar], width: int = 80) -> str:
    """Return what is asked of each case beside what was found."""
    results = {result.case: result for result in run.results}
    lines = [_about(run, width), "", _bar_line("", "time", "x ours", "asked", "")]
    met = [0, 0]
    for bar in asked:
        if (result := results.get(bar.case)) is None:
            continue
        ours, t = next(iter(result.times.items()))
        lines += [str(bar.case), _bar_line(ours, seconds(t.median))]
        named = set()
        for a in bar.asked:
            f = found(result, a)
            wanted = f"at {'most' if a.at_most else 'least'} {a.bound:g}"
            if f.who is None:
                lines.append(_bar_line(a.who, "absent", "", wanted))
                continue
            named.add(f.who)
            met[f.met] += 1
            verdict = "met" if f.met else "MISSED"
            ratio = figures(f.ratio)
            lines.append(_bar_line(f.who, seconds(f.seconds), ratio, wanted, verdict))
        best = fastest(result)
        if best is not None and best not in named:
            b = result.times[best].median
            ratio = figures(b / t.median)
            lines.append(_bar_line(best, seconds(b), ratio, "the best peer"))
    total = sum(len(bar.asked) for bar in asked)
    lines += ["", f"met: {met[True]}, missed: {met[False]}, of {total}"]
    if notes := _notes(run, width):
        lines.append(notes)
    return "\n".join(lines)


def _bar_line(
    who: str, time: str, ratio: str = "", wanted: str = "", verdict: str = ""
) -> str:
    return f"  {who:<28} {time:>11} {ratio:>8}   {wanted:<14} {verdict}".rstrip()


def seconds(t: float) -> str:
    """Return a time in its unit.

    >>> seconds(0.0000123456), seconds(1.5)
    ('12.3 us', '1.50 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if t >= size:
            return f"{figures(t / size)} {unit}"
    return f"{figures(t / 1e-9)} ns"


def figures(x: float) -> str:
    """Return a number to three figures, or all before the point.

    >>> figures(0.4567), figures(12.345), figures(12345.6)
    ('0.457', '12.3', '12,346')
    """
    if x >= 100:
        return f"{x:,.0f}"
    if x >= 10:
        return f"{x:.1f}"
    if x >= 1:
        return f"{x:.2f}"
    return f"{x:.3f}" if x >= 0.001 else f"{x:.0e}"


def spread(t: Timing) -> float:
    """Return half the interquartile range over the median."""
    return (t.high - t.low) / 2 / t.median


# --- JSON -----------------------------------------------------------------------------


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
                    "times": {k: t._asdict() for k, t in result.times.items()},
                }
                for result in run.results
            ],
            "left_out": run.left_out,
        },
        indent=1,
    )


def from_json(text: str) -> Run:
    """Return the run that `to_json` gave; ValueError: it is none."""
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
        )
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"expected a whole file, found one without {shortened(str(error))}"
        ) from None


def _result(item: Mapping[str, Any]) -> Result:
    times = {name: Timing(**t) for name, t in item["times"].items()}
    return Result(**{**item, "case": Case(**item["case"]), "times": times})


def load(path: str) -> Run:
    """Read a run from a file."""
    return from_json(Path(path).read_text())


# --- comparison -----------------------------------------------------------------------


def compare(old: Run, new: Run, width: int = 80) -> str:
    """Return old, new and their ratio, the changes beyond the noise marked."""
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
    """Return "faster" or "slower" where the change is beyond the noise, else "".

    The noise: both interquartile ranges together, and `LEAST_CHANGE` at the least.
    """
    noise = (old.high - old.low) + (new.high - new.low)
    if abs(new.median - old.median) <= max(noise, LEAST_CHANGE * old.median):
        return ""
    return "faster" if new.median < old.median else "slower"


def _machine_line(run: Run) -> str:
    m = run.machine
    return f"{m['processor']}, {m['isa']}, lrcore {m['versions']['lrcore']}"


# --- picture --------------------------------------------------------------------------


def draw(run: Run, path: str) -> None:
    """Draw the bare steps of a run: time against size, a panel each way to share it.

    Of peers that ran at one thread too, the faster of the two at each size.
    """
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for result in run.results:
        case = result.case
        lines = panels.setdefault(_panel(case), {})
        for name, t in result.times.items():
            line = lines.setdefault(name.removesuffix(", 1 thread"), [])
            if line and line[-1][0] == case.elements:
                line[-1] = min(line[-1], (case.elements, t.median))
            else:
                line.append((case.elements, t.median))
    m = run.machine
    about = f"{m['processor']}, {m['cores']} cores, {m['isa']}"
    picture.draw_times(panels, peers.Traffic.name, path, f"A step, {about}")


def _panel(case: Case) -> str:
    """Return what is the same for all points of a panel."""
    parts = [f"{case.optimizer} {case.dtype}", f"{case.arrays:,} arrays"]
    if case.arrays == 1:
        parts[1] = "one array"
    parts.append(f"{case.threads} thread" + "s" * (case.threads > 1))
    return "\n".join([parts[0], ", ".join(parts[1:])])
