"""The command `lrcore bench`, and its picture."""

import json
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from timed import CASE, told

import lrcore
from lrcore import cli
from lrcore.bench import bars, picture, saved

pytestmark = pytest.mark.usefixtures("no_pause")

TINY = ["bench", "--sizes", "100,1e3", "--rounds", "2", "--seconds", "1e-4"]
TINY += ["--threads", "1"]


def test_the_command_writes_json_and_a_picture(tmp_path, capsys):
    kept, drawn = tmp_path / "a.json", tmp_path / "a.png"
    more = ["--arrays", "1,10", "--peers", "numpy", "--plot", str(drawn)]
    assert cli.main([*TINY, *more, "--json", str(kept)]) == 0
    assert "AdamW float32, 1,000 in 10 arrays" in capsys.readouterr().out
    assert drawn.read_bytes().startswith(b"\x89PNG")
    found = json.loads(kept.read_text())
    assert found[saved.KEY] == saved.LAYOUT
    assert [r["case"]["elements"] for r in found["results"]] == [100, 1000] * 2
    assert set(found["machine"]) == {
        "processor", "cores", "isa", "system", "python", "versions", "environment"
    }  # fmt: skip
    assert cli.main([*TINY, "--peers", "none", "--compare", str(kept)]) == 0
    assert "new/old" in capsys.readouterr().out


def test_a_command_without_any_result_fails(capsys, tmp_path):
    few = ["bench", "--sizes", "10,20", "--arrays", "100", "--threads", "1"]
    kept = tmp_path / "a.json"
    assert cli.main([*few, "--optimizer", "all", "--json", str(kept)]) == 1
    out, err = capsys.readouterr()
    count = 2 * len(lrcore.optimizers.available())
    assert err.startswith(
        f"lrcore: no case could be timed: no result for {count} cases: fewer elements "
        "than 100 arrays: (AdaBelief float32, 10 in 100 arrays, 1 thread), "
    )
    assert len(err) < 600
    assert (out, kept.exists()) == ("", False)


def test_a_line_has_a_gap_where_a_case_was_left_out(monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.update(
        {line.get_label(): line for line in figure.axes[0].lines}
    ))  # fmt: skip
    results = [
        told(times, CASE._replace(elements=n)).results[0]
        for n, times in (
            (10, {"lrcore": 1, "b": 2}),
            (100, {"lrcore": 1}),
            (1000, {"lrcore": 1, "b": 5, "b, 1 thread": 4}),
        )
    ]
    picture.draw(told({})._replace(results=results[::-1]), str(tmp_path / "x.png"))
    ours, other = drawn.values()
    assert ours.get_ydata().tolist() == [1e-6] * 3
    np.testing.assert_array_equal(other.get_ydata(), [2e-6, np.nan, 4e-6])


def test_the_command_takes_other_optimizers_and_the_preset(monkeypatch, capsys):
    assert cli.main([*TINY, "--optimizer", "lion", "--dtype", "float64"]) == 0
    assert "Lion float64, 100 in 1 array" in capsys.readouterr().out
    few = [bars.Bar(CASE, (bars.Asked("numba", 1),))]
    monkeypatch.setattr(bars, "bars", lambda threads: few)
    assert cli.main([*TINY, "--bars", "--peers", "none"]) == 0
    assert "met: 0, missed: 0, of 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--sizes", "1e3,many"], "--sizes: expected whole numbers .* found 'many'"),
        (["--sizes", "0"], "--sizes: expected whole numbers from 1 on"),
        (["--arrays", "1.5"], "--arrays: expected whole numbers .* found '1.5'"),
        (["--threads", "0"], "--threads: expected whole numbers"),
        (["--peers", "numby"], "--peers: expected some of NumPy textbook.*'numby'"),
        (
            ["--optimizer", "Adamn"],
            "--optimizer: .* found 'Adamn'; did you mean",
        ),
        (["--dtype", "float16"], "--dtype: invalid choice: 'float16'"),
        (["--neighbours", "spin"], "--neighbours: expected none, spin:N or step:N"),
        (["--neighbours", "none,run:1"], "with N from 1 to 99, found 'run:1'"),
        (["--neighbours", "step:0"], "with N from 1 to 99, found 'step:0'"),
        (["--rounds", "0"], "--rounds: expected a whole number from 1 to 1,000,000"),
        (["--seconds", "nan"], "--seconds: expected seconds from 0.0001 to 60"),
        (["--json", "/no/such/folder/a.json"], "--json: there is no folder /no/such"),
        (["--plot", "a.txt"], "--plot: expected a .png, .pdf or .svg"),
        (["--compare", "/no/such/file"], "--compare: there is no file '/no/such/file'"),
        (["--compare", __file__], "--compare: .*expected a file that `lrcore bench"),
    ],
)
def test_a_wrong_argument_is_named_with_what_would_do(argv, message, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["bench", *argv])
    assert stop.value.code == 2
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(message, error), error


@pytest.mark.parametrize("more", [["--bars"], ["--optimizer", "all"]])
def test_a_picture_of_too_much_is_refused_before_the_run(more, capsys):
    assert cli.main([*TINY, *more, "--plot", "a.png"]) == 1
    assert capsys.readouterr().err.startswith("lrcore: --plot: draws sizes of at most")
