"""Pictures: what is in each, and that each can be made; warnings are errors here."""

import sys

import numpy as np
import pytest
from histories import DIVERGED, FINDINGS, HEALTHY, found, history, nothing
from matplotlib import image

import lrcore
from lrcore import plots
from lrcore.monitor import _panels as _plot
from lrcore.schedules import Constant, Cosine, StepDecay


def pixels(path):
    height, width, _ = image.imread(path).shape
    return width, height


def labels(axes):
    return {line.get_label(): line for line in axes.lines}


# --- schedules ------------------------------------------------------------------------


def test_schedules_beside_each_other(tmp_path):
    given = {
        "cosine": Cosine(0.1, total=900).warmup(100),
        "step": StepDecay(0.1, gamma=0.5, every=200),
        "function": lambda t: 0.1 / (1 + t),
    }
    figure = plots.schedules(given, 1200, tmp_path / "x.png", "Three")
    (axes,) = figure.axes
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*given]
    for line, schedule in zip(axes.lines, given.values(), strict=True):
        assert line.get_xdata().tolist() == list(range(1200))
        assert line.get_ydata()[7] == schedule(7)
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*given]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "learning rate")
    assert axes.get_title() == "Three"
    assert pixels(tmp_path / "x.png") == (1200, 600)


def test_one_schedule_says_itself():
    schedule = Cosine(0.1, total=90)
    figure = plots.schedules(schedule, 100, label="momentum", log=True)
    (axes,) = figure.axes
    assert axes.get_title() == repr(schedule)
    assert axes.get_ylabel() == "momentum"
    assert axes.get_yscale() == "log"
    assert not figure.legends


def test_the_names_of_twenty_schedules_fit():
    given = {f"a name of some length, {k}": Constant(float(k)) for k in range(20)}
    figure = plots.schedules(given, 10)
    figure.draw_without_rendering()
    assert len({line.get_color() for line in figure.axes[0].lines[:7]}) == 7
    box = figure.legends[0].get_window_extent()
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= box.y0 < box.y1 < figure.axes[0].bbox.y0
    assert figure.axes[0].bbox.height > 0.5 * figure.bbox.height


def test_a_million_steps_are_some_thousand_points():
    figure = plots.schedules(StepDecay(1.0, gamma=0.5, every=10**5), 10**6)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    x = axes.lines[0].get_xdata()
    assert len(x) == 4000
    assert (x[0], x[-1]) == (0, 10**6 - 1)
    assert "200k" in [text.get_text() for text in axes.get_xticklabels()]


def test_one_step_has_a_point(tmp_path):
    (axes,) = plots.schedules(Constant(1.0), 1, tmp_path / "x.svg").axes
    assert axes.lines[0].get_marker() == "."


@pytest.mark.parametrize(
    ("schedules", "steps", "path", "error", "message"),
    [
        ({}, 9, None, ValueError, "schedules: expected at least one, found none"),
        (0.1, 9, None, TypeError, "schedules: expected a schedule or a function of"),
        ({"a": 1}, 9, None, TypeError, r"schedules\['a'\]: expected .*, found 1"),
        (Constant(1.0), 0, None, ValueError, "steps: expected an int >= 1, found 0"),
        (Constant(1.0), 2.5, None, TypeError, "steps: expected an int >= 1, found 2.5"),
        (Constant(1.0), 9, "x.jpg", ValueError, "path: expected a .png, .pdf or .svg"),
    ],
)
def test_bad_schedules(schedules, steps, path, error, message):
    with pytest.raises(error, match=message):
        plots.schedules(schedules, steps, path)


def test_a_notebook_shows_it():
    png = plots.schedules(Constant(1.0), 9)._repr_png_()
    assert png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "call",
    [
        lambda path: plots.schedules(Constant(1.0), 9, path),
        lambda path: plots.dashboard(HEALTHY, [], path),
        lambda path: plots.surface(path=path),
        lambda path: plots.compare({"a": [1.0]}, path),
    ],
)
def test_without_matplotlib_it_says_what_to_install(monkeypatch, tmp_path, call):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "lrcore\[plot\]"'):
        call(tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


# --- dashboard ------------------------------------------------------------------------


def test_a_dashboard(tmp_path):
    figure = plots.dashboard(DIVERGED, FINDINGS, tmp_path / "x.png", "A run")
    names = ["loss", "learning rate", "gradient norm", "update / weight"]
    assert [axes.get_ylabel() for axes in figure.axes] == names
    assert figure.axes[-1].get_xlabel() == "step"
    assert figure.get_suptitle() == "A run"
    loss, lr, grad_norm, ratio = figure.axes
    drawn = labels(loss)
    assert {"loss", "smoothed", "validation", "not finite"} <= drawn.keys()
    assert drawn["not finite"].get_xdata().tolist() == list(range(76000, 78000, 100))
    assert len(drawn["validation"].get_xdata()) == 20
    assert len(labels(grad_norm)["not finite"].get_xdata()) == 20
    scales = [axes.get_yscale() for axes in figure.axes]
    assert scales == ["log", "linear", "log", "log"]
    assert lr.get_ylim()[0] == 0
    figure.draw_without_rendering()
    (usual,) = ratio.texts
    assert usual.get_text() == "usual"
    assert ratio.bbox.x1 < usual.get_window_extent().x0  # where no line strikes it
    width, height = pixels(tmp_path / "x.png")
    assert width == 1200
    assert 1200 < height < 1800


def test_findings_are_marked_and_named():
    figure = plots.dashboard(DIVERGED, FINDINGS)
    for axes in figure.axes:
        at = [line.get_xdata()[0] for line in axes.lines if vertical(line)]
        assert at == [32000, 76000, 76100, 99000]
    bands = {(p.get_x(), p.get_x() + p.get_width()) for p in figure.axes[1].patches}
    assert bands == {(30000, 32000), (70000, 76000), (90000, 99000)}
    numbers = [text.get_text() for text in figure.axes[0].texts]
    assert numbers == ["1", "2,3", "4"]
    said = " ".join(figure.get_supxlabel().split())
    for k, finding in enumerate(FINDINGS, 1):
        assert f"{k} {finding}" in said


def test_bands_differ_and_are_explained():
    figure = plots.dashboard(DIVERGED, FINDINGS)
    figure.draw_without_rendering()
    looks = {(p.get_facecolor(), p.get_hatch()) for p in figure.axes[0].patches}
    assert len({hatch for _, hatch in looks}) == 3
    legend = figure.axes[-1].get_legend()
    told = [text.get_text() for text in legend.get_texts()]
    assert told[:4] == ["least to largest", "loss", "smoothed", "validation"]
    assert told[-3:] == [f"{x}, its duration" for x in ("info", "warning", "error")]
    box = legend.get_window_extent()
    assert figure.axes[-1].xaxis.label.get_window_extent().y0 > box.y1
    assert box.y0 > figure.texts[-1].get_window_extent().y1  # of the findings
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1


def vertical(line):
    x, y = line.get_xdata(), line.get_ydata()
    return len(x) == 2 and x[0] == x[1] and list(y) == [0, 1]


def test_texts_do_not_leave_the_picture():
    figure = plots.dashboard(DIVERGED, FINDINGS, title="A run")
    figure.draw_without_rendering()
    texts = figure.texts + [text for axes in figure.axes for text in axes.texts]
    assert len(texts) >= 6
    for text in texts:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_a_healthy_run_has_no_mark():
    finding = found("healthy", 39, 0, "the loss fell", "", "go on")
    figure = plots.dashboard(HEALTHY, [finding])
    assert not any(map(vertical, figure.axes[0].lines))
    assert "1  healthy at step 39" in figure.get_supxlabel()


def test_of_many_findings_the_worst_are_named():
    many = [found("flat", 10 * k, 0, f"the {k}th", "", "") for k in range(90)]
    many[50] = found("diverging", 500, 0, "the 50th", "", "")
    figure = plots.dashboard(history(np.ones(1000)), many)
    lines = figure.get_supxlabel().splitlines()
    assert len(lines) == 13
    assert lines[0].startswith("1  flat at step 0")
    assert lines[11].startswith("51  diverging at step 500")
    assert lines[12] == "and 78 more"
    assert sum(map(vertical, figure.axes[0].lines)) == 12
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "1...5", "6...10", "11", "51"
    ]  # fmt: skip


def test_a_single_step_has_a_whole_number():
    figure = plots.dashboard(history([0.5]))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    left, right = axes.get_xlim()
    assert [x for x in axes.get_xticks() if left <= x <= right] == [0]


def test_panels_without_values_are_left_out():
    given = history(np.geomspace(2, 1, 50), lr=np.full(50, 0.1))
    names = [axes.get_ylabel() for axes in plots.dashboard(given).axes]
    assert names == ["loss", "learning rate"]
    assert [*_plot.panels(history([1.0]))] == ["loss"]


@pytest.mark.parametrize(
    "given",
    [
        nothing(),
        history([0.5]),
        history([0.0, 0.0]),
        history([np.nan] * 40),
        history([np.inf, 1.0, -np.inf, np.nan, 2.0]),
        history([1e308, -1e308, 1e-308, 5e-324]),
        history(np.geomspace(1e300, 1e-300, 1000)),
        history(np.ones(1000), every=1000, lr=np.geomspace(1e-7, 10, 1000)),
        history(np.ones(3), lr=np.zeros(3), grad_norm=np.array([np.nan, np.inf, 0.0])),
    ],
)
def test_any_history_can_be_drawn(given):
    figure = plots.dashboard(given, [found("flat", 0, 0, "", "", "")])
    figure.draw_without_rendering()
    assert sum(map(vertical, figure.axes[0].lines)) == 1


@pytest.mark.parametrize(
    ("suffix", "begin"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")]
)
def test_files_of_each_kind(tmp_path, suffix, begin):
    plots.dashboard(HEALTHY, [], tmp_path / f"x{suffix}")
    assert (tmp_path / f"x{suffix}").read_bytes().startswith(begin)


@pytest.mark.parametrize(
    ("loss", "scale", "crosses"),
    [
        ([3.0, 2.0, 1.0], "log", []),
        ([3.0, 2.0, 0.0], "log", []),
        ([3.0, -2.0, 1.0], "linear", []),
        ([np.inf, 2.0, np.nan], "log", [0, 2]),
        ([np.nan, np.nan, np.nan], "linear", [0, 1, 2]),
    ],
)
def test_the_axis_of_the_loss_and_what_is_not_on_it(loss, scale, crosses):
    axes = plots.dashboard(history(loss)).axes[0]
    assert axes.get_yscale() == scale
    drawn = labels(axes)
    x = drawn["not finite"].get_xdata().tolist() if "not finite" in drawn else []
    assert x == crosses


def test_a_range_tests_rates_are_on_a_logarithmic_axis():
    given = history(np.ones(100), lr=np.geomspace(1e-7, 10, 100))
    assert plots.dashboard(given).axes[1].get_yscale() == "log"


def test_smoothing():
    x = np.array([1.0, 5.0, 3.0, np.nan, np.inf, 7.0, 1e30])
    nan = np.nan
    np.testing.assert_equal(_plot.smoothed(x, 1), [3, 3, 4, nan, nan, 5e29, 5e29])
    np.testing.assert_equal(_plot.smoothed(x, 9), [3, 3, 3, nan, nan, 5e29, 5e29])
    steep = np.geomspace(20, 0.1, 200)
    line = _plot.smoothed(steep, 12)
    assert (line[0], line[-1]) == (steep[1], steep[-2])  # it meets both ends
    np.testing.assert_array_equal(line[2:-2], steep[2:-2])


# --- range test -----------------------------------------------------------------------


def test_a_range_tests_title_has_its_confidence():
    w = np.ones(2)
    sure = lrcore.lr_find(lrcore.SGD(w), lambda _: (w @ w, 2 * w), [0], trial_steps=0)
    first, rest = sure.plot().axes[0].get_title().split("\n", 1)
    assert first == f"lr {sure.suggestion:.2g}, confidence {sure.confidence:.2f}"
    assert rest.split() == sure.reason.split()
    none = lrcore.lr_find(lrcore.SGD(w), lambda _: (np.nan, w), [0])
    title = none.plot().axes[0].get_title()
    assert title.startswith("no suggestion\nthe loss or the score is not finite")


# --- surface --------------------------------------------------------------------------


def test_paths_over_a_ravine(tmp_path):
    figure = plots.surface(path=tmp_path / "x.png", title="Gradient descent")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["too small: lr 0.01", "right: lr 0.18", "too large: lr 0.205"]
    small, right, large = figure.axes
    for axes in figure.axes:
        x, y = axes.lines[0].get_data()
        assert (x[0], y[0]) == (-2.0, 0.8)
        assert len(x) == 26
        assert (axes.get_xlim(), axes.get_ylim()) == ((-2.5, 1.0), (-1.25, 1.25))
        assert axes.collections  # contours
    # Of w - lr * grad: each step multiplies x by 1 - lr and y by 1 - 10 lr.
    x, y = right.lines[0].get_data()
    np.testing.assert_allclose(x, -2 * 0.82 ** np.arange(26), rtol=1e-12)
    np.testing.assert_allclose(y, 0.8 * (-0.8) ** np.arange(26), rtol=1e-12)
    markers = [[line.get_marker() for line in axes.lines] for axes in figure.axes]
    assert markers == [[".", "o", "*"], [".", "o", "*"], [".", "o"]]
    # 0.8 * 1.05^k > 1.25 from k = 10 on
    assert large.get_xlabel().endswith("after 25 steps\nleaves the picture in step 10")
    assert "leaves" not in small.get_xlabel()
    assert pixels(tmp_path / "x.png") == (1380, 510)


def test_another_surface_and_optimizer(tmp_path):
    def rosenbrock(w):
        return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2

    def grad(w):
        x, y = w
        return np.array(
            [2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)]
        )  # fmt: skip

    figure = plots.surface(
        rosenbrock, grad, (-1.5, 1.5), lrcore.Adam, [1e-3, 0.01, 0.1, 1.0], 50,
        ((-2, 2), (-1, 3)), tmp_path / "x.svg",
    )  # fmt: skip
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["lr 0.001", "lr 0.01", "lr 0.1", "lr 1"]
    assert (tmp_path / "x.svg").stat().st_size > 1000


@pytest.mark.parametrize("kind", [iter, tuple, np.array])
def test_learning_rates_of_any_kind(kind):
    titles = [axes.get_title() for axes in plots.surface(lrs=kind([0.01, 0.1])).axes]
    assert titles == ["lr 0.01", "lr 0.1"]


def test_a_path_into_infinity_ends_there():
    figure = plots.surface(lrs=[0.1, 50.0], steps=200)
    figure.draw_without_rendering()
    x, y = figure.axes[1].lines[0].get_data()
    assert len(x) < 200
    assert np.isfinite([x, y]).all()
    assert "leaves the picture in step 1" in figure.axes[1].get_xlabel()


def test_a_loss_that_is_not_finite_everywhere():
    figure = plots.surface(lambda w: np.log(w[0]) if w[0] > 0 else np.nan, lrs=[0.1])
    figure.draw_without_rendering()
    assert figure.axes[0].get_xlabel() == "w[0]\nloss nan after 25 steps"


def test_the_gradient_of_the_ravine():
    w, h = np.array([0.3, -0.7]), 1e-6
    for k in range(2):
        e = h * np.eye(2)[k]
        slope = (plots.ravine(w + e) - plots.ravine(w - e)) / (2 * h)
        # of a quadratic: rounding alone, 1e-16 * 2.5 / 1e-6
        assert abs(slope - plots.ravine_grad(w)[k]) < 1e-8


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"lrs": []}, ValueError, "lrs: expected at least one learning rate"),
        ({"lrs": ["fast"]}, TypeError, "lrs: expected numbers, found 'fast'"),
        ({"start": (1.0,)}, TypeError, "start: expected two numbers, found"),
        ({"start": (1.0, np.nan)}, ValueError, "start: expected two finite numbers"),
        ({"bounds": ((1, 0), (0, 1))}, ValueError, "bounds: expected two rising pairs"),
        ({"bounds": (1, 2)}, TypeError, "bounds: expected two numbers, found 1"),
        ({"steps": 0}, ValueError, "steps: expected an int >= 1, found 0"),
        ({"path": "x"}, ValueError, "path: expected a .png, .pdf or .svg, found 'x'"),
    ],
)
def test_bad_surfaces(given, error, message):
    with pytest.raises(error, match=message):
        plots.surface(**given)
