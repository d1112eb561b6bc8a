"""The picture of several runs beside each other."""

import numpy as np
import pytest

import lrcore
from lrcore.plots import compare

RNG = np.random.default_rng(0)
FALLING = np.geomspace(10, 0.01, 400) * np.exp(RNG.normal(0, 0.1, 400))
FLAT = np.full(400, 3.0)


def entries(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def lines(figure):
    """Return the lines over the steps: faint and thick ones."""
    drawn = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    faint = [line for line in drawn if line.get_alpha() is not None]
    return faint, [line for line in drawn if line.get_alpha() is None]


def test_runs_beside_each_other(tmp_path):
    figure = compare(
        {"flat": FLAT, "falling": FALLING}, tmp_path / "x.png", "Two", reference=0.5
    )
    (axes,) = figure.axes
    final = np.median(FALLING[-13:])
    assert entries(figure) == [f"falling: {final:.3g}", "flat: 3", "reference: 0.5"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "loss")
    assert (axes.get_title(), axes.get_yscale()) == ("Two", "log")
    faint, thick = lines(figure)
    assert [line.get_ydata().tolist() for line in faint] == [
        FLAT.tolist(), FALLING.tolist()
    ]  # fmt: skip
    assert thick[0].get_xdata()[[0, -1]].tolist() == [1, 400]
    assert len({(line.get_color(), line.get_linestyle()) for line in thick}) == 2
    noise = np.abs(np.diff(np.log(FALLING))).mean()
    assert np.abs(np.diff(np.log(thick[1].get_ydata()))).mean() < noise / 3
    assert (tmp_path / "x.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        (FALLING, "log"),
        (FALLING - 1, "linear"),
        (np.linspace(3, 1, 99), "linear"),  # no decades
        (np.append(FALLING, 0.0), "linear"),
    ],
)
def test_the_axis(losses, scale):
    assert compare({"a": losses}).axes[0].get_yscale() == scale


def test_a_run_that_diverges_hides_no_other():
    gone = np.concatenate([np.geomspace(10, 1e90, 50), np.full(350, np.nan)])
    figure = compare({"gone": gone, "falling": FALLING, "short": FLAT[:100]})
    final = np.median(FALLING[-13:])
    assert entries(figure) == [
        f"falling: {final:.3g}", "short: 3, ends at 100", "gone: not finite"
    ]  # fmt: skip
    low, high = figure.axes[0].get_ylim()
    assert FALLING.min() / 2 < low < FALLING.min()
    assert 10 < high < 100
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [line.get_xdata().tolist() for line in crosses] == [[51]]
    linear = compare({"gone": np.abs(gone), "falling": FALLING - 1})
    low, high = linear.axes[0].get_ylim()
    assert -2.5 < low < -1 < 10 < high < 20


def test_a_monitor_and_a_history():
    monitor = lrcore.Monitor()
    for loss in FALLING:
        monitor.update(float(loss), lr=0.1)
    figure = compare({"array": FALLING, "monitor": monitor, "history": monitor.history})
    data = [line.get_ydata() for line in lines(figure)[1]]
    assert np.array_equal(data[0], data[1])
    assert np.array_equal(data[0], data[2])


def test_many_losses_are_averaged_in_blocks():
    losses = np.arange(100_000) % 10 + 1.0
    losses[5] = np.inf
    _, (line,) = lines(compare({"a": iter(losses)}))
    assert len(line.get_xdata()) <= 1024
    assert line.get_xdata()[[0, 1]].tolist() == [1, 99]
    faint, _ = lines(compare({"a": losses}))
    assert faint[0].get_ydata()[0] == losses[:98][np.isfinite(losses[:98])].mean()


def test_the_names_of_twenty_runs_fit():
    runs = {f"a name of $some$ length, {k} " * 3: FALLING * (k + 1) for k in range(20)}
    figure = compare(runs)
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert figure.axes[0].bbox.x1 < box.x0 < box.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= box.y0
    assert figure.axes[0].bbox.width > 0.4 * figure.bbox.width


@pytest.mark.parametrize(
    "losses", [[], [0.5], [np.nan] * 9, [1e308, -1e308], [0.0] * 60, [np.inf, 1.0]]
)
def test_any_losses_can_be_drawn(losses):
    compare({"a": losses, "b": FLAT}).draw_without_rendering()
    compare({"a": losses}, reference=-1.0).draw_without_rendering()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"runs": {}}, ValueError, "runs: expected at least one run, found none"),
        ({"runs": [FLAT]}, TypeError, "runs: expected a mapping from names to losses"),
        ({"runs": {"a": 0.5}}, TypeError, r"runs\['a'\]: expected a sequence with the"),
        ({"runs": {"a": "abc"}}, TypeError, r"runs\['a'\]: expected .*, found 'abc'"),
        ({"runs": {"a": [FLAT]}}, TypeError, r"runs\['a'\]: expected a sequence"),
        ({"reference": np.nan}, ValueError, "reference: expected a finite number"),
        ({"path": "x.jpg"}, ValueError, "path: expected a .png, .pdf or .svg"),
    ],
)
def test_wrong_arguments(given, error, message):
    with pytest.raises(error, match=message):
        compare(**{"runs": {"a": FLAT}, **given})
