"""What the documents say is so."""

import re
from pathlib import Path

import numpy as np
from helpers import KINDS
from pages import code_blocks, run
from table import ROWS

import lrcore
from lrcore._shared.domains import Reals

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
OPTIMIZERS = (ROOT / "docs" / "reference" / "optimizers.md").read_text()
CONTRACT = (ROOT / "docs" / "understand" / "numeric_contract.md").read_text()


def test_the_readmes_code_runs_in_order_and_prints_what_follows_it():
    blocks = code_blocks(README)
    assert sum(bool(wanted) for _, wanted in blocks) == README.count("```text")
    names = run(blocks)
    np.testing.assert_allclose(names["params"]["w"], names["true_w"], atol=0.01)
    said = re.search(r"(\d+) optimizers", README)
    assert int(said[1]) == len(KINDS), "correct the number in README.md"


def test_the_readme_is_one_page():
    assert len(README.splitlines()) < 150
    assert len(README) < 7000


def test_the_numbers_that_take_no_schedule():
    said = re.search(
        r"Every number\s+but the integers, (.*?) can be a sch", OPTIMIZERS, re.S
    )
    fixed = {
        name
        for kind in KINDS.values()
        for name, field in kind._fields.items()
        if field.fixed and isinstance(field.domain, Reals)
    }
    assert {*re.findall(r"`(\w+)`", said[1])} == fixed


def test_what_is_said_of_states_is_so():
    for name, found in lrcore.optimizers.available().items():
        p = np.ones((8, 16), np.float32)
        opt = KINDS[name](p)
        opt.step(np.full_like(p, 0.5))
        assert tuple(opt.state[0]) == found.states, name
        like = [a for a in opt.state[0].values() if a.shape == p.shape]
        assert sum(a.nbytes for a in like) == found.bytes_per_element * p.size, name


def refusing(**option):
    """Return the optimizers that refuse an option."""
    refused = set()
    for name, kind in KINDS.items():
        try:
            kind(np.ones((2, 3)), **option)
        except ValueError:
            refused.add(name)
    return refused


SCHEDULE_FREE = {"SGDScheduleFree", "AdamWScheduleFree"}
FIND_THEIR_RATE = {
    *("DoG", "LDoG", "DoWG", "Prodigy", "DAdaptAdam", "DAdaptSGD"),
    *("SPS", "SGDHD", "AdamHD"),
}


def test_what_is_said_of_all_optimizers_is_so():
    """docs/reference/optimizers.md names the exceptions."""
    for option in (
        {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": False},
        {"l2": 0.1}, {"maximize": True}, {"ema_decay": 0.9}, {"swa_start": 1},
        {"clip_value": 1.0}, {"clip_tensor_norm": 1.0}, {"clip_norm": 1.0},
        {"agc": 0.1, "agc_axis": 0}, {"accumulate": 2}, {"skip_nonfinite": True},
        {"grad_scale": 0.5}, {"zero_grads": True}, {"telemetry": True},
        {"num_threads": 1}, {"denormals": "keep"},
    ):  # fmt: skip
        assert refusing(**option) == set(), option
    decoupled = {"weight_decay": 0.1, "decoupled_weight_decay": True}
    assert refusing(**decoupled) == {"DAdaptSGD"}
    assert refusing(lookahead_steps=2) == {"DAdaptSGD"} | SCHEDULE_FREE
    without = FIND_THEIR_RATE | SCHEDULE_FREE | {"FTRL", "MADGRAD"}
    assert refusing(mechanic=True) == without


def test_what_is_said_of_other_libraries_is_so():
    """The numeric contract names the optimizers that no library has, and the steps."""
    said = re.search(
        r"(\d+) steps\s+of\s+each\s+optimizer\s+but (.*?) agree", CONTRACT, re.S
    )
    compared = {row.name for row in ROWS if row.golden}
    without = set(lrcore.optimizers.available()) - compared
    named = {*re.findall(r"`(\w+)`", said[2])}
    assert named == without, "name them in docs/understand/numeric_contract.md"
    with np.load(ROOT / "tests" / "golden" / "given.npz") as given:
        assert len(given["grads"]) == int(said[1])


OUTCOMES = {"healthy", "unknown", "rolled back"}


def test_each_kind_of_finding_stands_where_users_look_for_it():
    code = [p.read_text() for p in (ROOT / "lrcore" / "monitor").glob("*.py")]
    made = {*re.findall(r'\bFinding\(\s*"([^"]+)"', "".join(code))} | OUTCOMES
    notes = lrcore.Monitor.__doc__.partition("The kinds of findings")[2]
    notes = notes.partition("The monitor assumes")[0]
    assert {*re.findall(r"``([a-z -]+)``", notes)} == made, "name it in Monitor"
    gallery = (ROOT / "docs" / "reference" / "findings.md").read_text()
    headings = {*re.findall("^### (.*)$", gallery, re.M)}
    assert headings == made, "show it in docs/reference/findings.md"
    guide = (ROOT / "docs" / "how_to" / "watch.md").read_text()
    table = guide.partition("## What it can find\n\n")[2].partition("\n\n")[0]
    cells = "".join(line.split("|")[1] for line in table.splitlines())
    told = {*re.findall("`([a-z -]+)`", cells)}
    assert told == made - OUTCOMES, "explain it in docs/how_to/watch.md"


PROMISES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "understand" / "promises.md").read_text().splitlines()
    if line.startswith("|")
][2:]  # without the headings


def functions(path):
    """Return the names of the tests in a file."""
    return re.findall(r"^def (test_\w+)", (ROOT / path).read_text(), re.M)


def selected(path):
    """Return what -k can select in a file: names of tests, and lines of their cases."""
    text = (ROOT / path).read_text()
    return [*functions(path), *re.findall(r"^@pytest.mark.parametrize.*", text, re.M)]


def test_each_promise_has_a_test_that_exists_and_a_figure():
    """So has each command: its file, its selection of tests, its target of make."""
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    assert len(PROMISES) > 25
    for promise, how, figure in PROMISES:
        assert promise.endswith(".")
        assert figure
        named = re.findall(r"(?:tests|bench)/[\w./]+\w", how)
        assert named or "`make " in how, promise
        for path in named:
            assert (ROOT / path).exists(), path
            if path.startswith("tests/test_"):
                assert functions(path), path
        for target in re.findall(r"`(?:\w+=\S+ )?make (\w+)", how):
            assert target in targets, target
        for path, words in re.findall(r'pytest (\S+) -k ("[^"]+"|\w+)', how):
            for word in words.strip('"').split(" or "):
                assert any(word in name for name in selected(path)), word
        for path, word in re.findall(r"`python (\S+) (\w+)", how):
            assert re.search(rf"\b{word}\b", (ROOT / path).read_text()), word


def test_links_within_the_repository():
    for document in ROOT.glob("*.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_lines_of_c_and_cython_have_at_most_88_columns():
    """Comments, too, which clang-format leaves as they are; ruff looks at Python."""
    kinds = (".c", ".h", ".inc", ".def", ".pyx", ".pxi", ".pxd")
    folders = (ROOT / each for each in ("src_c", "lrcore", "tests", "examples"))
    paths = [path for each in folders for path in each.rglob("*")]
    texts = {path: path.read_text() for path in paths if path.suffix in kinds}
    assert len(texts) > 100
    assert [
        f"{path.relative_to(ROOT)}:{k}"
        for path, text in texts.items()
        if not text.startswith("/* Generated by Cython")
        for k, line in enumerate(text.splitlines(), 1)
        if len(line) > 88
    ] == []
