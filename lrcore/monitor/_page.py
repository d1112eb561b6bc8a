"""A run's report as one page of HTML: pictures and findings; nothing to load or run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from io import StringIO
from os import PathLike
from pathlib import Path

import numpy as np

from lrcore._shared.pictures import require
from lrcore.monitor import _panels
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History

# Inches: at the width of a phone a point is a pixel.  Axes stand below each other.
_WIDTH, _HEIGHT, _LOSS_HEIGHT = 5.0, 1.7, 2.7
_LEFT, _RIGHT, _BELOW, _ABOVE = 0.92, 0.24, 0.5, 0.32


def write(
    path: str | PathLike[str],
    history: History,
    findings: Sequence[Finding],
    title: str,
) -> None:
    """Write the page of a run.

    The pictures are those of `lrcore.plots.dashboard`, as SVG in the page, which takes
    its colours from the reader's scheme, light or dark.

    Raises
    ------
    ImportError
        matplotlib is missing.
    """
    require()
    pictures = [
        f"<figure>{_picture(name, draw, history, findings)}</figure>"
        for name, draw in _panels.panels(history).items()
    ]
    listed = "\n".join(_item(finding) for finding in findings)
    page = _PAGE.format(
        title=escape(title),
        style=_STYLE,
        summary="\n".join(
            f"<div{severity}><dt>{term}</dt><dd>{escape(value)}</dd></div>"
            for term, value, severity in _summary(history, findings)
        ),
        findings=f"<ol>\n{listed}\n</ol>" if findings else "<p>Nothing was found.</p>",
        pictures="\n".join(pictures),
    )
    Path(path).write_text(page, encoding="utf-8")


def _summary(
    history: History, findings: Sequence[Finding]
) -> list[tuple[str, str, str]]:
    """Return terms, what they are in this run, and an attribute."""
    worst, kinds = "info", ["nothing found"]
    for severity in ("info", "warning", "error"):
        found = [f.kind for f in findings if f.severity == severity]
        if found:
            worst, kinds = severity, list(dict.fromkeys(found))
    step, loss = history.step, history.loss
    told = [("Verdict", ", ".join(kinds), f' class="{worst}"')]
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


def _item(finding: Finding) -> str:
    steps = f"step {finding.step:,}"
    if finding.since < finding.step:
        steps = f"steps {finding.since:,} to {finding.step:,}"
    rest = [("Evidence", finding.evidence), ("Cause", finding.cause)]
    rest.append(("Remedy", finding.remedy))
    told = "".join(f"<dt>{k}</dt><dd>{escape(text)}</dd>" for k, text in rest if text)
    return (
        f'<li class="{finding.severity}"><h3>{escape(finding.kind)}</h3>'
        f"<p>{finding.severity}, {steps}</p><dl>{told}</dl></li>"
    )


def _picture(
    name: str, draw: _panels.Panel, history: History, findings: Sequence[Finding]
) -> str:
    """Return a panel as an SVG element that can stand beside others in a page."""
    from matplotlib import style
    from matplotlib.figure import Figure

    # Text stays text, names of parts are the same each time, the user's style is not
    # looked at: black is to become the page's colour.
    settings = {"svg.fonttype": "none", "svg.hashsalt": "lrcore"}
    out = StringIO()
    with style.context(["default", settings]):
        height = _LOSS_HEIGHT if name == "loss" else _HEIGHT
        figure = Figure(figsize=(_WIDTH, height))
        left, bottom, top = _LEFT / _WIDTH, _BELOW / height, 1 - _ABOVE / height
        axes = figure.add_axes((left, bottom, 1 - _RIGHT / _WIDTH - left, top - bottom))
        _panels.draw_panel(axes, name, draw, history)
        _panels.mark_findings(axes, _panels.worst(findings), numbers=True)
        axes.set_xlabel("step")
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
<p>Numbered lines are the findings; bands show since when they hold. The grey band is
from the least to the largest loss of each block of steps, the smoothed line a running
median. Crosses stand where a value was not finite.</p>
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
