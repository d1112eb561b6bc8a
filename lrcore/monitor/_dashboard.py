"""The picture of a run."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from textwrap import fill
from typing import TYPE_CHECKING

from lrcore._shared import pictures
from lrcore.monitor import _panels
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def dashboard(
    history: History,
    findings: Sequence[Finding] = (),
    path: str | PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a run: its loss and what else was recorded, with the findings marked.

    The loss is drawn raw (a line, and a band from the least to the largest of each
    block of steps), smoothed (a running median of 25 blocks), and on the validation
    set, on a logarithmic axis unless some are negative; crosses at the upper edge stand
    where it was not finite.  Below are the learning rate, the gradient norm and the
    ratio of an update's norm to that of the weights, as far as there are values.
    Numbered lines mark the findings, bands since when they hold; the text below says
    what they are.

    Parameters
    ----------
    history : lrcore.monitor.History
        Of a monitor, or made of your own arrays.
    findings : sequence of lrcore.monitor.Finding
        Of more than 12 the least severe are left out.
    path : str or path, optional
        A .png, .pdf or .svg to write.
    title : str, optional
        What stands over all.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        The path has another suffix.
    ImportError
        matplotlib is missing.
    """
    pictures.check_path(path)
    pictures.require()
    chosen = _panels.worst(findings)
    lines = [
        fill(f"{k}  {finding}", 118, subsequent_indent="    ")
        for k, finding in chosen.items()
    ]
    if len(chosen) < len(findings):
        lines.append(f"and {len(findings) - len(chosen)} more")
    text = "\n".join(lines)

    panels = _panels.panels(history)
    heights = [2.9] + [1.35] * (len(panels) - 1)
    below = 0.2 * (text.count("\n") + 2) if text else 0.0
    figure = pictures.canvas(8, sum(heights) + 0.8 + below)
    all_axes = figure.subplots(
        len(panels), sharex=True, height_ratios=heights, squeeze=False
    )[:, 0]
    for axes, (name, draw) in zip(all_axes, panels.items(), strict=True):
        _panels.draw_panel(axes, name, draw, history)
    for axes in all_axes:
        _panels.mark_findings(axes, chosen, numbers=axes is all_axes[0])
    all_axes[-1].set_xlabel("step")
    figure.align_ylabels()
    if title:
        figure.suptitle(title, parse_math=False)
    if text:
        figure.supxlabel(text, x=0.02, ha="left", fontsize=9, parse_math=False)
    pictures.save(figure, path)
    return figure
