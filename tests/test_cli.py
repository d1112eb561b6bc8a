"""The command line: its errors, exit statuses, and the commands that show something."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

import lrcore
from lrcore import cli
from lrcore._shared import machine
from lrcore.schedules import Cosine, Schedule

LRCORE = (sys.executable, "-m", "lrcore")
SHOWN = "Cosine(0.1, total=900).warmup(100)"


def run(capsys, *argv):
    """Return what a command prints."""
    assert cli.main(argv) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


# --- exit statuses --------------------------------------------------------------------


def test_help_lists_commands_and_exit_statuses(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    out = capsys.readouterr().out
    for command in ("demo", "schedule", "compare", "bench", "info", "completion"):
        assert re.search(rf"^    {command}\b", out, re.M)
    assert {*re.findall(r"^  (\d+) ", out, re.M)} == {"0", "1", "2", "130", "141"}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["schedule", "Cosin(0.1, 9)"], "did you mean Cosine?"),
        (["schedule", "Cosine(0.1, total=-1)"], "lrcore: schedule, column 19: total"),
        (["schedule", "open('x')"], "lrcore: schedule, column 1: name: expected"),
        (["schedule", "Cosine(0.1, T_max=9)"], "unexpected keyword 'T_max'; did you"),
        (
            ["schedule", "import os"],
            "column 1: expected a schedule such as Cosine(0.1,",
        ),
    ],
)
def test_an_error_is_one_line(argv, said, capsys):
    assert cli.main(argv) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "argv",
    [
        ["schedule"],
        ["schedule", SHOWN, "--steps", "0"],
        ["schedule", SHOWN, "--steps", "9" * 5000],
        ["schedule", SHOWN, "--json", "--csv"],
        ["schedule", SHOWN, "--plot", "x.txt"],
        ["completion", "tcsh"],
        ["info", "--yaml"],
    ],
)
def test_a_wrong_command_line(argv, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(argv)
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["demo", "--optimizer", "adamx"], "found 'adamx'; did you mean Adamax?"),
        (
            ["demo", "--lr", "high"],
            "--lr: expected a finite number > 0, such as 1e-3, ",
        ),
        (["demo", "--lr", "-1"], "--lr: expected a finite number > 0, such as 1e-3, "),
        (["demo", "--epochs", "0"], "--epochs: expected a whole number from 1 to "),
        (["compare", __file__, "--optimizers", "SGD,lyon"], "did you mean Lion?"),
        (["compare", "none.py"], "argument FILE.py: there is no file 'none.py'"),
    ],
)
def test_a_wrong_argument_is_told_with_what_would_do(argv, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(argv)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_follows_the_name(flag, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main([flag])
    assert capsys.readouterr().out == f"lrcore {lrcore.__version__}\n"


def test_a_reader_that_has_gone():
    """As with `| head -1`: nothing on stderr."""
    process = subprocess.Popen(
        [*LRCORE, "schedule", SHOWN, "--steps", "200000", "--csv"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "step,value\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 141


def test_ctrl_c(tmp_path):
    began = tmp_path / "began"
    source = tmp_path / "slow.py"
    source.write_text(
        f"import time\nopen({str(began)!r}, 'w').close()\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [*LRCORE, "compare", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # What a shell runs in the background ignores it, and so would this.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    while not began.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 130


# --- schedule -------------------------------------------------------------------------


def test_a_schedule_is_shown(capsys, monkeypatch):
    for columns in (60, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        out = run(capsys, "schedule", SHOWN)
        assert out.startswith("Warmup(steps=100, after=Cosine(base=0.1, total=900))\n")
        assert max(map(len, out.splitlines())) == min(columns, 88)
        assert re.search(r"^ +99  0\.1 +highest$", out, re.M)
        assert re.search(r"^1000  0 +lowest$", out, re.M)


def test_the_curve_rises_and_falls(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "8")
    rising = "▁▂▃▄▅▆▇█"
    assert rising in run(capsys, "schedule", "Linear(0, 1, total=8)", "--steps", "8")
    falling = "Linear(1, 0, total=8)"
    assert rising[::-1] in run(capsys, "schedule", falling, "--steps", "8")
    assert "\n████████\n" in run(capsys, "schedule", "0.1", "--steps", "8")


def test_a_terminal_without_blocks():
    done = subprocess.run(
        [*LRCORE, "schedule", "Linear(0, 1, total=8)", "--steps", "8"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=True,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "\n_.,-=+*#\n" in done.stdout


def test_a_schedule_as_json_and_csv(capsys):
    wanted = Cosine(0.1, total=900).warmup(100)
    told = json.loads(run(capsys, "schedule", SHOWN, "--steps", "20", "--json"))
    assert Schedule.from_dict(told["schedule"]) == wanted
    assert told["values"] == wanted(np.arange(20)).tolist()
    lines = run(capsys, "schedule", SHOWN, "--steps", "20", "--csv").splitlines()
    assert lines[0] == "step,value"
    assert [float(line.split(",")[1]) for line in lines[1:]] == told["values"]
    huge = run(capsys, "schedule", "Exponential(1, gamma=1e300)", "--json")
    assert json.loads(huge)["values"][5] is None


def test_a_schedule_is_drawn(capsys, tmp_path):
    path = tmp_path / "lr.png"
    assert str(path) in run(capsys, "schedule", SHOWN, "--plot", str(path), "--log")
    assert path.read_bytes().startswith(b"\x89PNG")
    silent = run(capsys, "schedule", SHOWN, "--plot", str(path), "--csv")
    assert str(path) not in silent


# --- info -----------------------------------------------------------------------------


def test_info_as_json_is_the_config(capsys):
    told = json.loads(run(capsys, "info", "--json"))
    assert told == json.loads(json.dumps(lrcore.show_config("dict")))
    assert {"processor", "openmp_libraries", "environment", "build"} <= told.keys()


def test_info_in_a_narrow_terminal(capsys, monkeypatch):
    for name in os.environ:  # other libraries set some
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    out = run(capsys, "info")
    assert max(map(len, out.splitlines())) <= 60
    assert "\nvariables OMP_NUM_THREADS=3" in out


def test_only_variables_of_threads_and_kernels_are_told(monkeypatch):
    for name in os.environ:
        monkeypatch.delenv(name)
    given = {"OMP_PROC_BIND": "close", "LRCORE_ISA": "avx2", "MKL_NUM_THREADS": "1"}
    secret = {"LRCORE_TOKEN": "x", "AWS_SECRET": "x", "MKL_TOKEN": "x"}
    for name, value in {**given, **secret}.items():
        monkeypatch.setenv(name, value)
    assert machine.environment() == given


def test_openmp_runtimes_in_the_process(monkeypatch):
    maps = """
7f00-7f01 r-xp 00000000 fe:00 12 /usr/lib/libgomp.so.1.0.0
7f01-7f02 r--p 00000000 fe:00 12 /usr/lib/libgomp.so.1.0.0
7f02-7f03 r-xp 00000000 fe:00 13 /home/me/a b/torch/lib/libgomp-a34b3233.so.1
7f03-7f04 r-xp 00000000 fe:00 14 /opt/libiomp5.so
7f04-7f05 r-xp 00000000 fe:00 15 /opt/libompany.so
7f05-7f06 r-xp 00000000 fe:00 16 /opt/libomp.so.5
7f06-7f07 rw-p 00000000 00:00 0 [heap]
"""
    monkeypatch.setattr(machine, "read", {"/proc/self/maps": maps}.get)
    monkeypatch.setenv("HOME", "/home/me")
    assert machine.openmp_libraries() == [
        "/opt/libiomp5.so", "/opt/libomp.so.5", "/usr/lib/libgomp.so.1.0.0",
        "~/a b/torch/lib/libgomp-a34b3233.so.1",
    ]  # fmt: skip


# --- completion -----------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell, capsys):
    pytest.importorskip(
        "shtab", reason="the extra `completion`, which .ci/run installs"
    )
    out = run(capsys, "completion", shell)
    for word in ("schedule", "compare", "AdamW", "json"):
        assert word in out


def test_bash_completes_commands():
    pytest.importorskip(
        "shtab", reason="the extra `completion`, which .ci/run installs"
    )
    script = subprocess.run(
        [*LRCORE, "completion", "bash"], check=True, capture_output=True, text=True
    ).stdout
    ask = (
        "\nCOMP_WORDS=(lrcore sche); COMP_CWORD=1; _shtab_lrcore; echo ${COMPREPLY[*]}"
    )
    done = subprocess.run(
        ["bash", "-c", script + ask], check=True, capture_output=True, text=True
    )
    assert done.stdout == "schedule\n"


def test_completion_without_shtab(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 1
    assert 'pip install "lrcore[completion]"' in capsys.readouterr().err
