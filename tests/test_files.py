"""Files are written whole or not at all; what cannot be written is refused early."""

import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest

import lrcore
from lrcore import cli
from lrcore.schedules import Cosine

ROOT = Path(__file__).parent.parent


def monitored():
    monitor = lrcore.Monitor()
    for k in range(100):
        monitor.update(1.0 / (k + 1), lr=0.1)
    return monitor


WRITES = {
    "picture": lambda path: Cosine(0.1, total=9).plot(f"{path}.png"),
    "report": lambda path: monitored().report_html(f"{path}.html"),
}


@pytest.mark.parametrize("before", [None, b"old"])
@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk_leaves_what_was_there(name, before, tmp_path):
    """A limit of the size of files stands for the disk."""
    path = tmp_path / f"file.{'png' if name == 'picture' else 'html'}"
    if before is not None:
        path.write_bytes(before)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            WRITES[name](tmp_path / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(tmp_path) == ([path.name] if before else [])
    WRITES[name](tmp_path / "file")
    assert len(path.read_bytes()) > 1000
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(
    "command",
    [
        ["demo", "--plot"],
        ["schedule", "Cosine(0.1, total=9)", "--plot"],
        ["compare", str(ROOT / "examples" / "problem.py"), "--plot"],
        ["bench", "--plot"],
        ["bench", "--json"],
    ],
    ids=lambda command: f"{command[0]} {command[-1]}",
)
@pytest.mark.parametrize("place", ["a folder", "in a missing folder"])
def test_a_command_refuses_a_file_before_it_runs(command, place, tmp_path, capsys):
    (tmp_path / "x.png").mkdir()
    path = tmp_path / ("x.png" if place == "a folder" else "gone/x.png")
    wanted = "is a folder" if place == "a folder" else "there is no folder"
    with pytest.raises(SystemExit, match="2"):  # argparse, before any command runs
        cli.main([*command, str(path)])
    out, err = capsys.readouterr()
    assert out == ""
    assert f"argument {command[-1]}: " in err
    assert wanted in err


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    Cosine(np.float64(0.1), total=9).plot(tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").read_bytes().startswith(b"\x89PNG")
