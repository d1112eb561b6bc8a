"""The command `lrcore compare`, on files of problems."""

import json
import re
from pathlib import Path

import pytest

from lrcore import cli

EXAMPLE = Path(__file__).parents[1] / "examples" / "problem.py"
BOWL = """
import numpy as np
params = {"w": np.array([3.0, -2.0])}
def loss_and_grads(params):
    w = params["w"]
    return 0.5 * (w ** 2).sum(), {"w": w.copy()}
"""


@pytest.fixture
def bowl(tmp_path):
    path = tmp_path / "bowl.py"
    path.write_text(BOWL)
    return str(path)


def compare(capsys, *argv):
    assert cli.main(["compare", *argv]) == 0
    return capsys.readouterr().out


def test_a_bowl(bowl, capsys):
    """By SGD: the loss is 6.5 (1 - lr)^2t before step t."""
    argv = (bowl, "--optimizers", "sgd", "--lr", "0.1,0.5,3", "--steps", "9", "--json")
    told = json.loads(compare(capsys, *argv))
    assert [r["lr"] for r in told["results"]] == [0.5, 0.1, 3.0]
    half, tenth, high = told["results"]
    assert half["losses"] == [half["loss"]]  # it draws nothing: one seed
    assert half["loss"] == pytest.approx(6.5 * 0.5**16)
    assert tenth["loss"] == pytest.approx(6.5 * 0.9**16)
    assert high["loss"] == pytest.approx(6.5 * 2.0**16)


def test_runs_that_diverge_come_last(bowl, capsys):
    argv = ("--optimizers", "SGD,Adam", "--lr", "0.1,1e30", "--steps", "40")
    out = compare(capsys, bowl, *argv)
    assert re.search(r"^  SGD +1e\+30 +diverged$", out, re.M)
    assert "The lowest rate tried is the best of SGD, Adam" in " ".join(out.split())
    told = json.loads(compare(capsys, bowl, *argv, "--json"))
    assert told["results"][-1]["loss"] is None


def test_each_optimizer_at_its_own_rates(bowl, capsys):
    argv = (bowl, "--optimizers", "all", "--steps", "2", "--json")
    results = json.loads(compare(capsys, *argv))["results"]
    rates = sorted(r["lr"] for r in results if r["optimizer"] == "AdamW")
    assert rates == pytest.approx([1e-4, 1e-3, 1e-2])


@pytest.mark.parametrize("columns", ["60", "120"])
def test_the_example(columns, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", columns)
    path = tmp_path / "x.png"
    out = compare(
        capsys, str(EXAMPLE), "--optimizers", "SGD,AdamW", "--lr", "0.001,0.01,1",
        "--steps", "100", "--plot", str(path),
    )  # fmt: skip
    assert max(map(len, out.replace(str(path), "").splitlines())) <= int(columns)
    assert len(re.findall(r"^\* (?:SGD|AdamW) ", out, re.M)) == 2
    assert path.read_bytes().startswith(b"\x89PNG")
    (loss,) = re.findall(r"^\* AdamW +\S+ +(\S+)", out, re.M)
    assert float(loss) < 0.6  # from log 10; other seeds: 0.05 to 0.5


def test_all_optimizers_and_rates_see_the_same_draws(tmp_path, capsys):
    path = tmp_path / "drawn.py"
    path.write_text(
        "def params(rng):\n    return rng.normal(size=3)\n"
        "def loss_and_grads(p, rng):\n    return p @ p + rng.normal(), 0 * p\n"
    )
    argv = (str(path), "--optimizers", "SGD,Adam", "--steps", "5", "--json")
    results = json.loads(compare(capsys, *argv))["results"]
    assert len({tuple(r["losses"]) for r in results}) == 1
    assert len({*results[0]["losses"]}) == 3


def test_a_file_may_import_its_neighbours(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (tmp_path / "beside_problem.py").write_text(BOWL)
    (tmp_path / "p.py").write_text("from beside_problem import *\n")
    compare(capsys, str(tmp_path / "p.py"), "--optimizers", "SGD", "--steps", "2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("params = [1", "line 1: '[' was never closed"),
        ("\n1 / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "it has ended the program by sys.exit"),
        ("import no_such_module", "line 1: ModuleNotFoundError: No module"),
        ("x = 1", "expected params, found no such name"),
        (
            "params = 1\nloss_and_grads = 2",
            "loss_and_grads: expected a function, found",
        ),
        (
            BOWL.replace("np.array([3.0, -2.0])", "[3.0, -2.0]"),
            "TypeError: params['w']",
        ),
        (BOWL.replace("{'w': w.copy()}", "").replace('{"w": w.copy()}', "5"), "grads"),
        (BOWL.replace("0.5 *", "0.5 / 0 *"), "line 6: ZeroDivisionError: float div"),
        (BOWL.replace("    return", "    return 1\n    return"), "cannot unpack"),
    ],
)
def test_an_error_in_the_file_is_one_line(text, said, tmp_path, capsys):
    path = tmp_path / "wrong.py"
    path.write_text(text)
    assert cli.main(["compare", str(path), "--optimizers", "SGD"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"lrcore: {path}: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "argv",
    [
        ["no_such_file.py"],
        [str(EXAMPLE), "--optimizers", "Adan,Nope"],
        [str(EXAMPLE), "--lr", "0.1,0"],
        [str(EXAMPLE), "--lr", "fast"],
        [str(EXAMPLE), "--seeds", "0"],
    ],
)
def test_a_wrong_command_line(argv, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["compare", *argv])
    assert "error: " in capsys.readouterr().err


def test_help_says_that_the_file_is_run(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["compare", "--help"])
    said = capsys.readouterr().out
    assert "which is run, but not as the main program" in said
