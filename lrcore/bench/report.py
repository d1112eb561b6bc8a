"""The tables of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from textwrap import fill

from lrcore._shared.words import listed
from lrcore.bench import limits, peers
from lrcore.bench.bars import Bar, fastest, found, that_counts
from lrcore.bench.cases import Result, Run
from lrcore.bench.clock import SAMPLE, Calls
from lrcore.bench.limits import Limit
from lrcore.bench.units import figures, seconds, spread

NOISY = 0.05
"""If half the interquartile range over the median is larger, a run says little."""


def tables(run: Run, width: int = 80) -> str:
    """Return a table for each case, and who was left out and why."""
    parts = [_about(run, width)]
    parts += ["\n".join(_table(result, run, width)) for result in run.results]
    parts.append(_notes(run, width))
    return "\n\n".join(part for part in parts if part)


def _about(run: Run, width: int) -> str:
    m = run.machine
    versions = ", ".join(f"{name} {v}" for name, v in m["versions"].items())
    variables = [f"{name}={value}" for name, value in m.get("environment", {}).items()]
    rounds, length = run.settings["rounds"], run.settings["seconds"]
    what = "median and half the interquartile range"
    if any(result.case.neighbours is not None for result in run.results):
        what = (
            f"mean and quantiles of calls, or of {SAMPLE * 1e6:.0f} us of short calls,"
        )
        if not any(name.startswith("OMP_WAIT_POLICY=") for name in variables):
            variables.append("OMP_WAIT_POLICY not set")
    parts = [f"{m['processor']}, {m['cores']} cores, {m['isa']}",
             f"Python {m['python']}, {versions}", *variables,
             f"{what} of {rounds} turns of {length:g} s."]  # fmt: skip
    return fill("; ".join(parts), width)


def _table(result: Result, run: Run, width: int) -> Iterator[str]:
    yield str(result.case)
    yield from (
        _times(result, run) if result.case.neighbours is None else _beside(result)
    )
    always = _always(run)
    if here := {k: v for k, v in result.left_out.items() if (k, v) not in always}:
        yield fill(f"left out: {_list(here.items())}", width - 2, initial_indent="  ",
                   subsequent_indent="    ")  # fmt: skip


def _times(result: Result, run: Run) -> Iterator[str]:
    elements, times = result.case.elements, result.times
    ours = next(iter(times.values()))
    limit = limits.limit(result, run.dividers)
    name_width = max(map(len, times))
    yield (
        f"  {'':<{name_width}} {'time':>11} {'+-':>6} {'ns/elem':>8} {'GB/s':>6} "
        f"{'of limit':>8} {'x ours':>7}"
    )
    for name, t in times.items():
        fraction = " " * 8
        if limit.seconds and not name.startswith(peers.Traffic.name):
            fraction = f"{limit.seconds / t.median:8.0%}"
        yield (
            f"  {name:<{name_width}} {seconds(t.median):>11} {spread(t):>6.1%} "
            f"{figures(t.median / elements * 1e9):>8} "
            f"{figures(result.step_bytes / t.median / 1e9):>6} "
            f"{fraction} {figures(t.median / ours.median):>7}"
        )
    yield f"  our state takes {result.state_bytes / elements:.3g} bytes an element"
    yield from _needs(limit)


def _needs(limit: Limit) -> Iterator[str]:
    """Return what a step needs, and how long that takes at least."""
    unknown = "not measured"
    traffic = unknown if limit.traffic is None else seconds(limit.traffic)
    yield f"  a step moves {limit.bytes:.3g} bytes an element; traffic alone: {traffic}"
    divider = unknown if limit.divider is None else seconds(limit.divider)
    counts = [
        f"{n} {what}" + "s" * (n > 1)
        for n, what in ((limit.divisions, "division"), (limit.roots, "root"))
        if n
    ]
    if counts:
        on = f"{limit.threads} divider" + "s" * (limit.threads > 1)
        yield f"  and takes {' and '.join(counts)} an element; on {on}: {divider}"


def _beside(result: Result) -> Iterator[str]:
    """Return the table of single calls, of a case whose peers ran beside neighbours."""
    calls = {name: t.calls for name, t in result.times.items() if t.calls}
    ours = next(iter(calls.values()))
    width = max(map(len, calls))
    heads = "".join(f" {name:>10}" for name in Calls._fields)
    yield f"  {'':<{width}}{heads} {'x our mean':>11}"
    for name, t in calls.items():
        figured = "".join(f" {seconds(x):>10}" for x in t)
        yield f"  {name:<{width}}{figured} {figures(t.mean / ours.mean):>11}"
    yield f"  beside: {result.beside}"


def _notes(run: Run, width: int) -> str:
    """Return the notes below the tables, such as the cases without a result."""
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
    lines += without_result(run.left_out)
    every = [
        spread(t)
        for result in run.results
        if result.case.neighbours is None
        for t in result.times.values()
    ]
    if every and median(every) > NOISY:
        lines.append(
            f"the times vary by {median(every):.0%}: something else ran on the machine "
            "meanwhile, and they say little"
        )
    return "\n".join(fill(line, width, subsequent_indent="  ") for line in lines)


def without_result(left_out: Mapping[str, str]) -> list[str]:
    """Return a line for each reason why cases have no result, with their names."""
    lines = []
    for why, cases in _by_reason(left_out.items()).items():
        if len(cases) == 1:
            lines.append(f"no result: {cases[0]}: {why}")
            continue
        names = listed(cases, "({})".format)
        lines.append(f"no result for {len(cases)} cases: {why}: {names}")
    return lines


def _always(run: Run) -> list[tuple[str, str]]:
    """Return those who were left out of every case for the same reason."""
    each = [set(result.left_out.items()) for result in run.results]
    common = set.intersection(*each) if each else set()
    return sorted(common)


def _list(items: Iterable[tuple[str, str]]) -> str:
    """Return names with their reasons, those of one reason together."""
    grouped = _by_reason(items).items()
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in grouped)


def _by_reason(items: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, why in items:
        names.setdefault(why, []).append(name)
    return names


def bars_table(run: Run, asked: Sequence[Bar], width: int = 80) -> str:
    """Return the ratios that are asked of each case, and those that were found."""
    results = {result.case: result for result in run.results}
    lines = [_about(run, width), "", _bar_line("", "time", "x ours", "asked", "")]
    met = [0, 0]
    for bar in asked:
        if (result := results.get(bar.case)) is None:
            continue
        ours, timing = next(iter(result.times.items()))
        t = that_counts(bar.case, timing)
        lines += [str(bar.case), _bar_line(ours, seconds(t))]
        named = set()
        for a in bar.asked:
            f = found(result, a)
            wanted = f"at {'most' if a.at_most else 'least'} {a.bound:.3g}"
            if f.who is None:
                lines.append(_bar_line(a.who, "absent", "", wanted))
                continue
            named.add(f.who)
            met[f.met] += 1
            verdict = "met" if f.met else "MISSED"
            ratio = figures(f.ratio)
            lines.append(_bar_line(f.who, seconds(f.seconds), ratio, wanted, verdict))
        limit = limits.limit(result, run.dividers)
        if limit.seconds and bar.case.neighbours is None:
            which = "traffic" if limit.seconds == limit.traffic else "divider"
            ratio = figures(limit.seconds / t)
            lines.append(_bar_line(f"limit: {which}", seconds(limit.seconds), ratio))
        best = fastest(result)
        if best is not None and best not in named:
            b = that_counts(bar.case, result.times[best])
            ratio = figures(b / t)
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
