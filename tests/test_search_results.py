"""Tables and pictures of sweeps and studies."""

import math
import pickle
import re
import sys

import numpy as np
import optuna
import pytest
from matplotlib import image, pyplot
from objectives import LR, bowl, singular

from lrcore import space
from lrcore.search import Search, Trial, sweep, tune
from lrcore.space import Choice, Integer, Real, Tuple

# --- tables ---------------------------------------------------------------------------


def test_a_search_can_be_hashed():
    found = tune(singular, {"lr": [0.1, 0.2]}, "grid", catch=Exception)
    again = pickle.loads(pickle.dumps(found))
    assert hash(again) == hash(found)
    assert {found: 1}[found] == 1
    assert len({*found.trials, *sweep(lambda lr: lr, [1.0]).trials}) == 3


def test_a_dataframe():
    pandas = pytest.importorskip("pandas", reason="makes the table")
    given = {"lr": [0.1, 0.5], "pair": Tuple(Choice(1), Choice("a"))}
    found = tune(bowl, given, "grid")
    frame = found.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert [*frame.columns] == [
        "number", "state", "value", "params_lr", "params_pair", "steps", "seconds",
    ]  # fmt: skip
    assert frame["value"].tolist() == [t.value for t in found.trials]
    assert frame["params_lr"].tolist() == [0.5, 0.1]
    assert frame["params_pair"].tolist() == [(1, "a")] * 2
    assert frame["steps"].tolist() == [9, 9]


def test_a_dataframe_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_dataframe needs pandas: pip install pa"):
        sweep(lambda lr: lr, [1.0]).to_dataframe()


def test_a_notebook_shows_the_first_trials():
    name = "<script>alert('&')</script>"
    found = tune(bowl, {"lr": [0.1, 0.5], name: ["<b>"]}, "grid")
    shown = found._repr_html_()
    assert shown.count("<tr>") == 3
    assert "<script" not in shown
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in shown
    assert "&lt;b&gt;" in shown
    assert not re.search("http|src|href|url", shown)
    many = sweep(lambda lr: lr, np.geomspace(1e-3, 1, 500))._repr_html_()
    assert many.count("<tr>") == 21
    assert "and 480 more" in many
    assert len(many) < 20_000


# --- pictures -------------------------------------------------------------------------


def labels(axes):
    return {line.get_label(): line for line in axes.lines}


def test_a_sweeps_picture(tmp_path):
    found = sweep(lambda lr: bowl({"lr": lr}), [1e-3, 0.01, 0.1, 0.5, 5, 1e200])
    figure = found.plot(tmp_path / "x.png", "A sweep")
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "loss")
    assert axes.get_title() == "best: 0.5"
    drawn = labels(axes)
    assert set(drawn) == {
        "finished (5)", "best: trial 3, loss 3.433e-05", "higher (1)", "diverged (1)"
    }  # fmt: skip
    assert drawn["finished (5)"].get_xdata().tolist() == [1e-3, 0.01, 0.1, 0.5, 5]
    assert drawn["best: trial 3, loss 3.433e-05"].get_xdata().tolist() == [0.5]
    assert drawn["higher (1)"].get_xdata().tolist() == [5]  # 4^18 times the beginning
    assert drawn["diverged (1)"].get_xdata().tolist() == [1e200]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [*drawn]
    height, width, _ = image.imread(tmp_path / "x.png").shape
    assert (width, height) == (1200, 600)
    assert figure.get_suptitle() == "A sweep"


def test_a_studys_picture_of_one_dimension():
    found = tune(
        lambda params: params["m"], {"m": space.momentum(0.9, 0.99)}, "grid", mode="max"
    )
    (axes,) = found.plot().axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("m", "value")
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.9", "0.99"]
    assert np.diff(labels(axes)["finished (5)"].get_xdata()) == pytest.approx(0.25)


def everything(params):
    """Finishes, is pruned (before it yields too), diverges, fails, gets too high."""
    if params["kind"] == "raises":
        raise ZeroDivisionError
    if params["kind"] == "pruned":
        raise optuna.TrialPruned
    if params["kind"] == "nan":
        return math.nan
    loss = (math.log10(params["lr"]) + 2) ** 2 + 0.1
    return loss * (1e6 if params["kind"] == "high" else 1)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_every_trial_is_drawn_in_the_panel_of_every_parameter(mode):
    kinds = [*["a" * 50, "b", "c"] * 2, "raises", "pruned", "nan", "high"]
    given = {
        "lr": space.lr(1e-3, 0.1), "pair": space.betas(), "batch": space.batch_size(),
        "kind": [*dict.fromkeys(kinds)],
    }  # fmt: skip
    found = tune(everything, given, "random", 60, seed=0, mode=mode, catch=Exception)
    figure = found.plot()
    panels = [a for a in figure.axes if a.axison]
    names = [axes.get_xlabel() for axes in panels]
    assert names == ["learning rate", "pair[0]", "pair[1]", "batch", "kind"]
    states = [t.state for t in found.trials]
    for axes in panels:
        drawn = {name: len(line.get_xdata()) for name, line in labels(axes).items()}
        assert drawn.pop(f"finished ({states.count('finished')})") == states.count(
            "finished"
        )
        assert drawn[f"pruned, no value ({states.count('pruned')})"] > 1
        assert drawn[f"diverged ({states.count('diverged')})"] > 1
        assert drawn[f"failed ({states.count('failed')})"] > 1
        assert any(name.startswith("higher") for name in drawn) == (mode == "min")
        assert drawn[f"the best tenth ({math.ceil(states.count('finished') / 10)})"]
        low, high = sorted(axes.get_xlim())
        for line in axes.lines:
            assert np.all((low < line.get_xdata()) & (line.get_xdata() < high))
    ticks = [t.get_text() for t in panels[3].get_xticklabels()]
    assert ticks == ["16", "32", "64", "128", "256", "512"]
    assert max(len(t.get_text()) for t in panels[4].get_xticklabels()) == 12
    best = found.best_params
    assert panels[3].get_title() == f"best: {best['batch']}"
    (star,) = [li for n, li in labels(panels[3]).items() if n.startswith("best:")]
    assert star.get_xdata() == [math.log2(best["batch"])]


@pytest.mark.parametrize("dimension", [
    Real(1e-300, 1e308, "log"), Real(-1e300, 1e300), Real(0.91, 0.92, "complement"),
    Real(0.0, 1 - 2**-53, "complement"), Integer(1, 2**53, "powers of 2"),
    Integer(-3, 4), Integer(1, 1000, "log"),
    Choice(*range(100)), Choice(None, 0.5, "x"),
])  # fmt: skip
def test_the_axis_of_any_dimension_can_be_drawn(dimension, tmp_path):
    trials = [
        Trial(i, {"x": x}, float(i), "finished")
        for i, x in enumerate(dimension.points(7))
    ]
    figure = Search(tuple(trials), {"x": dimension}).plot(tmp_path / "x.png")
    (axes,) = figure.axes
    shown = [
        t for t in axes.get_xticks() if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]
    ]
    assert 1 <= len(shown) <= 20


@pytest.fixture(scope="module")
def wide():
    given = {**LR, "momentum": space.momentum(), "name": ["a", "b"]}
    return tune(bowl, given, "asha", 25, seed=0)


@pytest.mark.parametrize(
    "kind", ["slice", "contour", "parallel", "history", "importance", "intermediate"]
)
def test_optunas_pictures(wide, kind, tmp_path):
    figure = wide.plot(tmp_path / "x.png", kind=kind)
    assert (tmp_path / "x.png").stat().st_size > 10_000
    assert figure.axes
    assert not pyplot.get_fignums()


def test_pictures_of_bad_input():
    one = sweep(lambda lr: lr, [1.0])
    with pytest.raises(ValueError, match="kind: expected 'loss' of a sweep"):
        one.plot(kind="slice")
    with pytest.raises(ValueError, match="kind: expected one of"):
        one.plot(kind="pie")
    with pytest.raises(ValueError, match=r"path: expected a \.png, \.pdf or"):
        one.plot("x.jpg")
    with pytest.raises(ValueError, match="plot: expected at least one trial"):
        Search((), LR).plot()
    silent = tune(lambda params: math.inf, {**LR, "x": [1, 2]}, "random", 3)
    with pytest.raises(ValueError, match="kind: expected another than 'intermediate'"):
        silent.plot(kind="intermediate")
    for kind in ("slice", "contour", "parallel", "history", "importance"):
        with pytest.raises(ValueError, match=f"finished, as '{kind}' .* found 3 that"):
            silent.plot(kind=kind)
    with pytest.raises(
        ValueError, match="most: expected an int >= 1, or None, found 0"
    ):
        one.table(0)


def test_the_table_of_a_study(wide):
    rows = [line.split() for line in wide.table().splitlines()]
    assert rows[0] == ["trial", "lr", "momentum", "name", "loss", "steps", "seconds"]
    assert len(rows) == 26
    assert [int(row[0]) for row in rows[1:]] == [t.number for t in wide.trials]
    assert rows[-1][-1] in ("pruned", "diverged")
