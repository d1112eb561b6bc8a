"""What holds for the process: environment, command line, build, documents."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers import ISAS

import lrcore
from lrcore import _config, _core, cli
from lrcore.cli import demo
from lrcore.data import digits

ROOT = Path(__file__).parents[1]


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- environment ----------------------------------------------------------------------


@pytest.mark.parametrize("isa", ISAS)
def test_the_environment_sets_instruction_set_and_number_of_threads(isa):
    code = "import lrcore; print(lrcore.get_isa(), lrcore.get_num_threads())"
    done = python(code, LRCORE_ISA=isa, LRCORE_NUM_THREADS="3")
    assert done.stdout.strip() == f"{isa} 3", done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LRCORE_ISA", "mmx"),
        ("LRCORE_THREADING", "tbb"),
        ("LRCORE_NUM_THREADS", "0"),
        ("LRCORE_NUM_THREADS", "two"),
    ],
)
def test_a_wrong_environment_is_refused_at_import(name, value):
    done = python("import lrcore", **{name: value})
    assert done.returncode != 0
    assert re.search(rf"ImportError: {name}: expected .*, found '{value}'", done.stderr)


def test_a_build_without_openmp_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(_core, "threadings", lambda: ["pool", "serial"])
    with pytest.raises(
        ValueError, match=r"^threading: .*found 'openmp'; .*--no-binary lrcore lrcore"
    ):
        lrcore.set_threading("openmp")
    monkeypatch.setattr(_core, "threading", lambda: "pool")
    monkeypatch.setenv("LRCORE_THREADING", "openmp")
    with pytest.raises(
        ImportError, match=r"^LRCORE_THREADING: .*found 'openmp'; .*--no-binary lrcore"
    ):
        _config.heed_environment()


def test_a_step_needs_nothing_that_only_unix_has():
    """As on Windows and in Pyodide, where nothing forks."""
    done = python(
        "import os, sys\n"
        "del os.register_at_fork, os.sched_getaffinity, os.fork\n"
        "sys.modules.update(fcntl=None, resource=None, pwd=None, grp=None)\n"
        "import lrcore, numpy\n"
        "opt = lrcore.AdamW(numpy.ones(3))\n"
        "print(opt.step(numpy.ones(3)), lrcore.show_config('dict')['isa'])"
    )
    assert done.stdout.split() == ["True", lrcore.get_isa()], done.stderr


def test_threads_can_be_set_and_set_back():
    default = lrcore.get_num_threads()
    lrcore.set_num_threads(1)
    assert lrcore.get_num_threads() == 1
    lrcore.set_num_threads(None)
    assert lrcore.get_num_threads() == default


def test_show_config(capsys):
    assert lrcore.show_config() is None
    printed = capsys.readouterr().out
    assert lrcore.get_isa() in printed
    assert f"{lrcore.get_num_threads()}, {lrcore.get_threading()}" in printed
    assert lrcore.show_config("dict")["rules"] == list(_core.RULES)


# --- command line ---------------------------------------------------------------------


def test_the_demo_learns_the_digits(capsys, tmp_path):
    picture = tmp_path / "run.png"
    assert cli.main(["demo", "--plot", str(picture)]) == 0
    out = capsys.readouterr().out
    share, steps = re.search(r"reads ([\d.]+)% .* (\d+) steps, .* s\.", out).groups()
    assert float(share) >= 97
    assert int(steps) < 1500  # of a small network, so that nobody waits long
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(re.findall(r"\d weights .* us .* us ", out)) == 2
    assert f"kernels: {lrcore.get_isa()}, threads: {lrcore.get_num_threads()}" in out


def test_the_demo_takes_another_optimizer(capsys):
    run = demo.train("SGD", 0.5, 5)
    assert run.accuracy > 0.9
    assert run.steps == run.monitor.history.steps.sum() == 5 * (1438 // demo.BATCH)
    assert run.monitor.history.lr.max() == 0.5
    assert run.monitor.rate() == "fine"


@pytest.mark.parametrize(("lr", "said"), [(1e-6, "too low"), (5.0, "too high")])
def test_the_demo_says_what_is_wrong_with_its_rate(monkeypatch, capsys, lr, said):
    monkeypatch.setattr(demo, "time_steps", lambda networks: "")
    monkeypatch.setenv("COLUMNS", "60")
    assert cli.main(["demo", "--lr", str(lr), "--epochs", "2"]) == 0
    out = capsys.readouterr().out
    assert f"The learning rate is {said}: " in out
    told = out[out.index("The learning rate") :]
    assert 50 < max(map(len, told.splitlines())) <= 60


@pytest.mark.parametrize(
    "argv",
    [
        ["demo", "--optimizer", "Nope"],
        ["demo", "--epochs", "0"],
        ["demo", "--lr", "fast"],
        ["demo", "--lr", "-1"],
        ["demo", "--plot", "/no/such/folder/x.png"],
        ["nothing"],
    ],
)
def test_a_wrong_command_line_is_refused(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(argv)
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_without_a_command_it_helps(capsys):
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: lrcore")
    for command in ("demo", "bench", "info"):
        assert f"\n    {command} " in out


@pytest.mark.parametrize("find", [[], ["--find"]])
@pytest.mark.parametrize("optimizer", lrcore.optimizers.available())
def test_the_demo_runs_with_every_optimizer(optimizer, find, monkeypatch, capsys):
    """On a sixth of the digits, with short trials if it begins with a range test."""
    monkeypatch.setattr(demo, "digits", lambda: tuple(a[::6] for a in digits()))
    monkeypatch.setattr(demo, "time_steps", lambda networks: "")
    monkeypatch.setattr(lrcore, "lr_find", partial(lrcore.lr_find, trial_steps=20))
    assert cli.main(["demo", "--optimizer", optimizer, "--epochs", "1", *find]) == 0
    out, err = capsys.readouterr()
    assert f"{optimizer} reads " in out
    assert "Traceback" not in err
    assert max(map(len, out.splitlines())) <= 88


def test_without_matplotlib_a_plot_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.main(["demo", "--plot", "x.png"]) == 1
    assert 'pip install "lrcore[plot]"' in capsys.readouterr().err


def test_info_as_a_module():
    command = [sys.executable, "-m", "lrcore", "info"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60
    )
    assert f"kernels   {lrcore.get_isa()} (available: " in done.stdout


def test_the_demos_source_is_short_enough_to_copy():
    assert len(Path(demo.__file__).read_text().splitlines()) < 150


def test_digits():
    images, labels = digits()
    assert (images.shape, images.dtype, int(images.max())) == (
        (1797, 8, 8),
        np.uint8,
        16,
    )
    assert np.bincount(labels).sum() == 1797
    assert set(labels.tolist()) == set(range(10))
