"""The code on the pages of the documentation runs, and prints what the pages show.

``make docs`` runs the cells, too, and draws what they show.
"""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from pages import code_blocks, run

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [p for p in sorted(DOCS.rglob("*.md")) if code_blocks(p.read_text())]


@pytest.mark.parametrize(
    "path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix()
)
def test_the_code_of_a_page_runs_in_order_and_prints_what_follows_it(
    path, restore, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCORE_ROOT", str(DOCS.parent))
    monkeypatch.setattr(sys, "path", [*sys.path])
    text = path.read_text()
    if "{code-cell}" in text:
        pytest.importorskip("matplotlib", reason="needs matplotlib").use("agg")
    try:
        run(code_blocks(text))
    except ImportError as error:
        # Another package is missing; a room of lrcore that needs one says so.
        missing = error.__cause__ or error
        if find_spec(missing.name.partition(".")[0]):
            raise
        pytest.skip(str(error))
    finally:
        close_pictures()


def close_pictures():
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot:
        pyplot.close("all")


def test_a_page_with_cells_is_a_notebook():
    """Without this heading Sphinx would show the cells and not run them."""
    for path in DOCS.rglob("*.md"):
        text = path.read_text()
        if "```{code-cell}" in text:
            assert re.match(r"---\n.*?kernelspec:\n.*?---\n", text, re.S), path
