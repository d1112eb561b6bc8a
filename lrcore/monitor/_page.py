"""A run's report as one HTML page with pictures and findings: it loads nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from io import StringIO
from os import PathLike

import numpy as np

from lrcore._shared.files import replacing
from lrcore._shared.pictures import require
from lrcore._shared.words import printable, shown
from lrcore.monitor import _panels
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History

# Sizes in inches; on a phone, a point of the picture is about a pixel.  All axes have
# the same left and right margins, as the pictures stand below each other.
_WIDTH, _HEIGHT, _LOSS_HEIGHT = 5.0, 1.7, 2.7
_LEFT, _RIGHT, _BELOW, _ABOVE = 0.92, 0.45, 0.5, 0.32
_LEGEND_ROW, _LEGEND_COLUMNS = 0.2, 3


def write(
    path: str | PathLike[str],
    history: History,
    findings: Sequence[Finding],
    title: str,
) -> None:
    """Write the page of a run.

    The panels of `lrcore.plots.dashboard` stand in it as SVG.  Its colours follow the
    reader's scheme, light or dark.

    Raises
    ------
    ImportError
        matplotlib is missing.
    """
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"path: expected the path of a file, found {shown(path)}")
    if not isinstance(title, str):
        raise TypeError(f"title: expected a string, found {shown(title)}")
    require()
    pictures = [
        f"<figure>{_picture(name, draw, history, findings)}</figure>"
        for name, draw in _panels.panels(history).items()
    ]
    listed = "\n".join(_item(finding) for finding in findings)
    page = _PAGE.format(
        title=_escaped(title),
        style=_STYLE,
        summary="\n".join(
            f"<div{severity}><dt>{term}</dt><dd>{_escaped(value)}</dd></div>"
            for term, value, severity in _summary(history, findings)
        ),
        findings=f"<ol>\n{listed}\n</ol>" if findings else "<p>Nothing was found.</p>",
        pictures="\n".join(pictures),
    )
    with replacing(path) as file:
        file.write(page.encode())


def _summary(
    history: History, findings: Sequence[Finding]
) -> list[tuple[str, str, str]]:
    """Return terms, their values in this run, and an attribute of their element."""
    worst, kinds = "info", list[str]()
    for severity in ("info", "warning", "error"):
        found = [f for f in findings if f.severity == severity and _panels.is_marked(f)]
        if found:
            worst, kinds = severity, list(dict.fromkeys(f.kind for f in found))
    verdict = ", ".join(kinds)
    at_end = [f.kind for f in findings if not _panels.is_marked(f)]
    if at_end:
        verdict = f"{verdict}; {at_end[-1]} at the end" if kinds else at_end[-1]
    step, loss = history.step, history.loss
    told = [("Verdict", verdict or "nothing found", f' class="{worst}"')]
    if len(step):
        last = step[-1] + history.steps[-1] - 1
        told.append(("Steps", f"{step[0]:,.0f} to {last:,.0f}", ""))
        told.append(("Last loss", f"{loss[-1]:.4g}", ""))
    named = {"Best loss": loss, "Best validation": history.validation}
    for term, values in named.items():
        finite = np.where(np.isfinite(values), values, np.inf)
        if np.isfinite(finite).any():
            best = int(np.argmin(finite))
            told.append((term, f"{values[best]:.4g} at step {step[best]:,.0f}", ""))
    return told


def _escaped(text: str) -> str:
    """Return text that stays text in HTML."""
    return escape(printable(text))


def _item(finding: Finding) -> str:
    steps = f"step {finding.step:,}"
    if finding.since < finding.step:
        steps = f"steps {finding.since:,} to {finding.step:,}"
    rest = [("Evidence", finding.evidence), ("Cause", finding.cause)]
    rest.append(("Remedy", finding.remedy))
    told = "".join(f"<dt>{k}</dt><dd>{_escaped(text)}</dd>" for k, text in rest if text)
    return (
        f'<li class="{finding.severity}"><h3>{_escaped(finding.kind)}</h3>'
        f"<p>{finding.severity}, {steps}</p><dl>{told}</dl></li>"
    )


def _picture(
    name: str, draw: _panels.Panel, history: History, findings: Sequence[Finding]
) -> str:
    """Return a panel as an SVG element, whose ids no other one of the page has."""
    from matplotlib import style
    from matplotlib.figure import Figure

    # Text stays text, ids are the same each time, and the user's style has no effect:
    # black is replaced by the page's text colour.
    settings = {"svg.fonttype": "none", "svg.hashsalt": "lrcore"}
    out = StringIO()
    with style.context(["default", settings]):
        chosen = _panels.worst(findings)
        figure = Figure()
        axes = figure.add_axes((0, 0, 1, 1))
        _panels.draw_panel(axes, name, draw, history)
        _panels.mark_findings(axes, chosen, numbers=True)
        axes.set_xlabel("step")
        height, below = (_LOSS_HEIGHT if name == "loss" else _HEIGHT), _BELOW
        entries = _panels.legend(axes, chosen)
        if name == "loss" and entries["handles"]:
            rows = -(-len(entries["handles"]) // _LEGEND_COLUMNS)
            height, below = height + rows * _LEGEND_ROW, below + rows * _LEGEND_ROW
            figure.legend(
                **entries, loc="lower center", ncols=_LEGEND_COLUMNS, fontsize=8.5,
                borderaxespad=0.1, columnspacing=1.2, handlelength=1.6,
            )  # fmt: skip
        figure.set_size_inches(_WIDTH, height)
        left, bottom, top = _LEFT / _WIDTH, below / height, 1 - _ABOVE / height
        axes.set_position((left, bottom, 1 - _RIGHT / _WIDTH - left, top - bottom))
        middle = (bottom + top) / 2
        axes.yaxis.set_label_coords(0.04, middle, transform=figure.transFigure)
        unnamed = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=unnamed)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :].replace("#000000", "currentColor")
    prefix = re.sub(r"\W+", "-", name)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{name} by step" ', 1)


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<dl class="summary">
{summary}
</dl>
</header>
<main>
<section>
<h2>The run</h2>
{pictures}
<p>A numbered line marks the step of a finding; its band begins where the finding begins
to hold. The grey band spans the least to the largest loss of each block of steps; the
smoothed line is a running median. Crosses mark values that were not finite. About 1e-3
is usual for the ratio of update to weight.</p>
</section>
<section>
<h2>Findings</h2>
{findings}
</section>
</main>
</body>
</html>
"""

_STYLE = """
:root { --paper: #fff; --ink: #1b1b1b; --soft: #5c5c5c; --edge: #d9d9d9;
  --info: #0072b2; --warning: #b87700; --error: #d55e00 }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #e8e8e8;
  --soft: #a6a6a6; --edge: #3a3d42 } }
*, ::before { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 78rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.45 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { margin: 0 0 .75rem; font-size: 1.6rem; line-height: 1.2 }
h2 { margin: 0 0 .75rem; font-size: 1.15rem }
h3 { margin: 0; font-size: 1rem }
.summary { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0 0 1.5rem }
.summary div { flex: 1 1 9.5rem; padding: .4rem .6rem; border: 1px solid var(--edge);
  border-radius: .4rem }
.summary dt, li p, section > p { color: var(--soft); font-size: .85rem }
.summary dd { margin: 0; font-size: .95rem; font-weight: 600 }
.info { --tone: var(--info) } .warning { --tone: var(--warning) }
.error { --tone: var(--error) }
.summary div[class] { border-left: .4rem solid var(--tone) }
main { display: grid; gap: 1.5rem }
section { min-width: 0 }
ol { margin: 0; padding: 0; list-style: none; counter-reset: finding }
li { position: relative; margin: 0 0 1.1rem; padding-left: 2.2rem }
li::before { counter-increment: finding; content: counter(finding);
  position: absolute; left: 0; top: .05rem; min-width: 1.5rem; padding: 0 .3rem;
  border-radius: .3rem; background: var(--tone); color: #fff; font-size: .85rem;
  font-weight: 700; line-height: 1.5rem; text-align: center }
li p { margin: 0 0 .25rem }
li dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem .75rem;
  margin: 0; font-size: .95rem }
li dt { color: var(--soft) } li dd { margin: 0 }
figure { margin: 0 0 .75rem }
svg { display: block; width: 100%; height: auto }
svg text { fill: currentColor }
@media (min-width: 60rem) {
  body { padding: 1.5rem 2rem }
  main { grid-template-columns: 11fr 9fr; gap: 2.5rem } }
"""
