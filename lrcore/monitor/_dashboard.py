"""The picture of a run."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from textwrap import fill
from typing import TYPE_CHECKING, Any

from lrcore._shared import pictures
from lrcore._shared.words import printable
from lrcore.monitor import _panels
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def dashboard(
    history: History,
    findings: Sequence[Finding] = (),
    path: str | PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a run: its loss, what else was recorded, and its findings.

    The top panel has the mean loss of each block of steps, a grey band from the least
    to the largest loss of the block, a smoothed line (a running median of 25 blocks),
    and the validation loss.  Its axis is logarithmic unless a loss is negative; crosses
    at its upper edge mark losses that were not finite.  Panels below show the learning
    rate, the gradient norm and the ratio of the update's norm to that of the weights,
    if they were recorded.  A numbered line marks the step of a finding, a band begins
    where the finding begins to hold, and the text below says what it is.

    Parameters
    ----------
    history : lrcore.monitor.History
        Of a monitor, or made of your own arrays.
    findings : sequence of lrcore.monitor.Finding
        The 12 most severe are drawn.
    path : str or path, optional
        A .png, .pdf or .svg to write.
    title : str, optional
        Title of the picture.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        The path has none of these suffixes.
    ImportError
        matplotlib is missing.
    """
    pictures.check_path(path)
    pictures.require()
    chosen = _panels.worst(findings)
    lines = [
        fill(f"{k}  {printable(str(finding))}", 118, subsequent_indent="    ")
        for k, finding in chosen.items()
    ]
    if len(chosen) < len(findings):
        lines.append(f"and {len(findings) - len(chosen)} more")
    text = "\n".join(lines)

    panels = _panels.panels(history)
    heights = [2.9] + [1.35] * (len(panels) - 1)
    below = 0.2 * (text.count("\n") + 2) if text else 0.0
    below += 0.6  # the legend
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
    _draw_legend(figure, all_axes[-1], _panels.legend(all_axes[0], chosen))
    if title:
        figure.suptitle(pictures.title(title), parse_math=False)
    if text:
        figure.supxlabel(text, x=0.02, ha="left", fontsize=9, parse_math=False)
    pictures.save(figure, path)
    return figure


def _draw_legend(figure: Figure, axes: Axes, entries: dict[str, Any]) -> None:
    """Draw a legend under the lowest panel, where it hides nothing."""
    from matplotlib.transforms import ScaledTranslation

    if entries["handles"]:
        under = ScaledTranslation(0, -0.45, figure.dpi_scale_trans)  # inches
        axes.legend(
            **entries, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=4,
            bbox_transform=axes.transAxes + under, handlelength=2.5, fontsize=9,
        )  # fmt: skip
