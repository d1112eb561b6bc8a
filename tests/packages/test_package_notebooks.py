"""Progress bars in a notebook, which a kernel of Jupyter runs: they are widgets."""

import os

import pytest

import lrcore

nbclient = pytest.importorskip("nbclient", reason="needs nbclient: make test-packages")
pytest.importorskip("ipykernel", reason="needs ipykernel: make test-packages")
pytest.importorskip("ipywidgets", reason="needs ipywidgets: make test-packages")

CELLS = [
    """\
import numpy as np, lrcore
w = np.ones(3)
opt = lrcore.SGD(w, lr=0.1)
lrcore.lr_find(opt, lambda _: (w @ w, 2 * w), [0], progress=True).evaluations""",
    """\
def run(lr):
    w = np.ones(2)
    opt = lrcore.SGD(w, lr=lr)
    for _ in range(9):
        opt.step(2 * w)
        yield w @ w
lrcore.sweep(run, [0.1, 0.2], progress=True).best_params""",
    """\
from lrcore.cli.demo import train
train("AdamW", None, epochs=1).steps""",
]
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def test_bars_of_a_range_test_a_search_and_the_demo_are_widgets(tmp_path, monkeypatch):
    from nbformat.v4 import new_code_cell, new_notebook

    root = os.path.dirname(os.path.dirname(lrcore.__file__))
    monkeypatch.setenv("PYTHONPATH", root)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=100, kernel_name="python3").execute()
    models = notebook.metadata["widgets"][STATE]["state"]

    def told(cell):
        """Return the bar's label, its number of steps and its end; and the result."""
        bar, result = cell.outputs  # and nothing on stderr
        box = models[bar["data"][VIEW]["model_id"]]["state"]
        places = [child.removeprefix("IPY_MODEL_") for child in box["children"]]
        label, progress, _ = (models[place]["state"] for place in places)
        words = label["value"].replace("\u2007", " ")
        done = progress["value"] == progress["max"]
        return words, progress["max"], done, result["data"]["text/plain"]

    words, steps, done, evaluations = told(notebook.cells[0])
    assert done
    assert words.startswith("trial of ")
    assert steps == int(evaluations)
    assert told(notebook.cells[1]) == ("searching: 100%", 2.0, True, "{'lr': 0.2}")
    assert told(notebook.cells[2]) == ("learning: 100%", 44.0, True, "44")
