"""The picture of the path of an optimizer over a loss of two parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lrcore._shared import pictures
from lrcore._shared.domains import count, real
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.optimizers.sgd import SGD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def ravine(w: Array) -> float:
    """Return ``(x^2 + 10 y^2) / 2``: a valley 10 times as steep in y as in x.

    Parameters
    ----------
    w : ndarray
        x and y.

    Returns
    -------
    float

    Examples
    --------
    >>> ravine(np.array([2.0, 1.0]))
    7.0
    """
    x, y = w
    return float(x**2 + 10 * y**2) / 2


def ravine_grad(w: Array) -> Array:
    """Return the gradient of `ravine`, ``(x, 10 y)``.

    Parameters
    ----------
    w : ndarray
        x and y.

    Returns
    -------
    ndarray
        A new one, like w.

    Examples
    --------
    >>> ravine_grad(np.array([2.0, 1.0]))
    array([ 2., 10.])
    """
    return w * (1.0, 10.0)


class _Steps(Protocol):
    def step(self, grads: Any, /) -> Any: ...


Bounds = tuple[tuple[float, float], tuple[float, float]]


def surface(
    loss: Callable[[Array], float] = ravine,
    grad: Callable[[Array], Array] = ravine_grad,
    start: Sequence[float] = (-2.0, 0.8),
    opt: Callable[..., _Steps] = SGD,
    lrs: Iterable[float] | Mapping[str, float] | None = None,
    steps: int = 25,
    bounds: Bounds = ((-2.5, 1.0), (-1.25, 1.25)),
    path: str | PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw the path of an optimizer over a loss of two parameters, for each rate.

    ``surface()`` without arguments draws gradient descent in a `ravine`; above
    ``lr = 2 / 10`` its steps in y diverge.  Contours are spaced logarithmically above
    the least loss of the picture.

    Parameters
    ----------
    loss : callable, default `ravine`
        Takes an array of two numbers, and returns a float.
    grad : callable, default `ravine_grad`
        Takes the same array, and returns the gradient, an array of two numbers.
    start : two floats
        Where the path begins.
    opt : callable, default `lrcore.SGD`
        Called with the params and ``lr=``; returns an object whose ``step(grads)``
        updates the params in place.
    lrs : iterable of floats, or mapping from a word to a float, optional
        The learning rates.  Default: a rate that is too small, a right one and one that
        is too large, for the default surface and optimizer.
    steps : int, default 25
        Number of steps; fewer are taken if a parameter or its gradient is not finite.
    bounds : two pairs of floats
        The range of each parameter in the picture.
    path : str or path, optional
        A .png, .pdf or .svg to write.
    title : str, optional
        Title of the picture.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        `start` is not two finite numbers, `bounds` not two rising pairs, there is no
        learning rate, `steps` is no int >= 1, or the path has none of these suffixes.
    ImportError
        matplotlib is missing.

    Examples
    --------
    >>> figure = surface(opt=lrcore.Adam, lrs=[0.01, 0.3], steps=60)
    >>> [axes.get_title().splitlines()[0] for axes in figure.axes]
    ['lr 0.01', 'lr 0.3']
    """
    if lrs is None:
        lrs = {"too small": 0.01, "right": 0.18, "too large": 0.205}
    if isinstance(lrs, Mapping):
        named = [(f"{name}: ", lr) for name, lr in lrs.items()]
    else:
        named = [("", lr) for lr in lrs]
    panels = [(f"{name}lr {real('lrs', lr, 'numbers'):g}", lr) for name, lr in named]
    if not panels:
        raise ValueError("lrs: expected at least one learning rate, found none")
    begin = _pair("start", start)
    (left, right), (bottom, top) = box = [_pair("bounds", pair) for pair in bounds]
    if not (left < right and bottom < top):
        raise ValueError(f"bounds: expected two rising pairs, found {shown(bounds)}")
    count(1).check("steps", steps)
    pictures.check_path(path)
    pictures.require()
    columns = pictures.columns(len(panels), most=3)
    rows = math.ceil(len(panels) / columns)
    figure = pictures.canvas(2.9 * columns + 0.5, 3.4 * rows)
    all_axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    grid = [np.linspace(*side, 121) for side in box]
    with np.errstate(all="ignore"):
        heights = np.array([[loss(np.array([x, y])) for x in grid[0]] for y in grid[1]])
    for axes, (name, lr) in zip(all_axes.flat, panels, strict=False):
        _draw_contours(axes, grid, heights)
        walked = _walk(grad, begin, opt, lr, steps)
        inside = _draw_path(axes, walked, np.array(box))
        with np.errstate(all="ignore"):
            last = loss(walked[-1])
        note = f"loss {last:.2g} after {len(walked) - 1} steps"
        if not inside.all():
            note += f"\nleaves the picture in step {int(np.argmin(inside))}"
        axes.set_title(pictures.title(name), fontsize=11, parse_math=False)
        axes.set(xlim=box[0], ylim=box[1], xlabel=f"w[0]\n{note}")
        axes.tick_params(labelbottom=True)
    for axes in all_axes.flat[len(panels) :]:
        axes.remove()
    for axes in all_axes[:, 0]:
        axes.set_ylabel("w[1]")
    if title:
        figure.suptitle(pictures.title(title), parse_math=False)
    pictures.save(figure, path)
    return figure


def _pair(name: str, value: Any) -> tuple[float, float]:
    try:
        a, b = value
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected two numbers, found {shown(value)}") from None
    pair = real(name, a, "two numbers"), real(name, b, "two numbers")
    if not all(map(math.isfinite, pair)):
        raise ValueError(f"{name}: expected two finite numbers, found {shown(value)}")
    return pair


def _walk(
    grad: Callable[[Array], Array],
    begin: tuple[float, float],
    opt: Callable[..., _Steps],
    lr: float,
    steps: int,
) -> Array:
    """Return the points of a path, the first included."""
    w = np.array(begin)
    optimizer = opt(w, lr=lr)
    points = [w.copy()]
    for _ in range(steps):
        with np.errstate(all="ignore"):
            g = np.asarray(grad(w), np.float64)
        if not np.isfinite(g).all():
            break
        optimizer.step(g)
        if not np.isfinite(w).all():
            break
        points.append(w.copy())
    return np.array(points)


def _draw_contours(axes: Axes, grid: list[Array], heights: Array) -> None:
    """Draw contours, spaced evenly in the logarithm of the height over the least."""
    over = np.ma.masked_invalid(heights - np.nanmin(heights[np.isfinite(heights)]))
    if over.max() > 0:
        levels = np.geomspace(over.max() * 1e-4, over.max(), 13)
        shades = np.linspace(0.05, 0.5, 14)
        axes.contourf(*grid, over, levels, colors=_blues(shades), extend="both")
        axes.contour(*grid, over, levels, colors="white", linewidths=0.6)


def _blues(shades: Array) -> Array:
    from matplotlib import colormaps

    colors: Array = colormaps["Blues"](shades)
    return colors


def _draw_path(axes: Axes, walked: Array, box: Array) -> Array:
    """Draw the path; return for each of its points whether it is in the box."""
    inside: Array = np.all((walked >= box[:, 0]) & (walked <= box[:, 1]), axis=1)
    # Points far outside are moved nearer, as matplotlib cannot draw huge numbers.
    far = 10 * (box[:, 1] - box[:, 0])
    x, y = np.clip(walked, box[:, 0] - far, box[:, 1] + far).T
    axes.plot(x, y, ".-", color=pictures.VERMILION, linewidth=1.3, markersize=4)
    axes.plot(x[0], y[0], "o", color="white", mec="black", markersize=8)
    if inside[-1]:
        axes.plot(x[-1], y[-1], "*", color=pictures.ORANGE, mec="black", markersize=13)
    return inside
