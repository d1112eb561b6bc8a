"""What the documents say is so."""

import re
from pathlib import Path

import numpy as np

import lrcore
from lrcore import _core

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def code_blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.S)


def test_the_readmes_code_runs_in_order():
    names = {}
    for block in code_blocks(README):
        exec(block, names)
    np.testing.assert_allclose(names["params"]["w"], names["true_w"], atol=0.01)
    assert names["saved"]["t"] == 300


def test_the_readmes_table_of_optimizers():
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", README, re.M))
    bytes_of = dict(re.findall(r"^\| `(\w+)` \| [^|]*? \| (\d+) \|", README, re.M))
    assert list(rows) == list(lrcore.optimizers.available())
    for name, kind in lrcore.optimizers.available().items():
        opt = kind(np.zeros(1, np.float32))
        states = _core.RULES[opt.param_groups[0].rule].states
        assert rows[name] == (", ".join(states) or "none")
        assert int(bytes_of[name]) == 4 * len(states)


def test_links_within_the_repository():
    for document in ROOT.glob("*.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
