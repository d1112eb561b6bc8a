"""lrcore.Checkpoint: which files are kept, and which one is loaded."""

import errno
import math
import os
import subprocess
import sys
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
from saves import begun, bits, known, make_old, stepped, unfinished
from wrong import WRONG, message, refused

import lrcore
from lrcore.checkpoint import DamagedError, _durable, _read


def numbers(checkpoint):
    return [int(path.name[5:14]) for path in checkpoint.paths]


def damage(path, at):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff\x00\xff")


def test_the_best_stays_if_its_step_is_saved_again_without_a_metric(tmp_path):
    """As at the end of a run, by now=True."""
    opt, checkpoint = begun(), lrcore.Checkpoint(tmp_path, keep=1)
    for metric in (2.0, 1.0):
        checkpoint.save(stepped(opt), metric=metric)
    checkpoint.save(opt, now=True)
    for _ in range(2):
        assert checkpoint.load(begun(), "best").metric == 1.0
        checkpoint.save(stepped(opt))
    assert checkpoint.load(begun()).step == 4


def test_the_latest_and_the_best_are_kept(tmp_path):
    folder, opt = tmp_path / "a" / "b", begun()
    checkpoint = lrcore.Checkpoint(folder, keep=2)
    assert (checkpoint.latest, checkpoint.best, checkpoint.load(opt)) == (None,) * 3
    for metric in (3.0, 1.0, math.nan, 2.0, 1.0, math.inf):
        assert checkpoint.save(stepped(opt), metric=metric).exists()
    assert numbers(checkpoint) == [2, 5, 6]
    assert checkpoint.best.name == "step-000000002.safetensors"
    assert checkpoint.latest.name == "step-000000006.safetensors"
    again = lrcore.Checkpoint(folder, mode="max")
    assert again.best == checkpoint.latest
    restored = checkpoint.load(begun())
    assert (restored.step, restored.metric) == (6, math.inf)
    assert checkpoint.load(opt, "best").metric == 1.0
    assert bits(opt) == known(2)[2]
    assert sorted(path.name for path in folder.iterdir()) == [
        path.name for path in checkpoint.paths
    ]
    everything = lrcore.Checkpoint(tmp_path / "all", keep=None)
    for step in range(9):
        everything.save(opt, step=step)
    assert numbers(everything) == [*range(9)]


def test_the_rhythm(tmp_path):
    opt, saved = begun(), []
    for _ in range(2):  # the second time as if the process had begun again
        checkpoint = lrcore.Checkpoint(tmp_path, every=10, keep=None)
        for _ in range(13):
            if checkpoint.save(stepped(opt)):
                saved.append(opt.t)
    assert saved == [1, 10, 20]
    assert checkpoint.save(opt) is None
    assert checkpoint.save(opt, now=True).name == "step-000000026.safetensors"
    assert checkpoint.save(opt, step=71)
    assert checkpoint.save(opt, step=79) is None


def test_a_run_that_went_back_saves_what_is_latest(tmp_path):
    opt = begun()
    checkpoint = lrcore.Checkpoint(tmp_path, keep=2)
    for _ in range(3):
        checkpoint.save(stepped(opt), metric=opt.t)
    checkpoint.load(opt, "best")  # step 1
    checkpoint.save(stepped(opt))
    assert opt.t == 2
    assert numbers(checkpoint) == [1, 3, 2]
    assert lrcore.Checkpoint(tmp_path).load(begun()).step == 2


@pytest.mark.parametrize("at", [9, -5, -700], ids=["header", "digests", "data"])
def test_a_damaged_one_is_passed_over(tmp_path, at):
    opt = begun()
    checkpoint = lrcore.Checkpoint(tmp_path)
    for _ in range(3):
        checkpoint.save(stepped(opt), metric=-opt.t)
    size = checkpoint.latest.stat().st_size
    damage(tmp_path / "step-000000003.safetensors", at % size)
    again = begun()
    with pytest.warns(UserWarning, match="damaged .* of step 2, instead"):
        assert checkpoint.load(again).step == 2
    assert bits(again) == known(2)[2]
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    with pytest.raises(DamagedError, match="folder: found only damaged"):
        checkpoint.load(again)


@pytest.mark.parametrize("at", [0, 8, 5000], ids=["length", "header", "data"])
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES], ids=errno.errorcode.get)
def test_a_bad_sector_is_passed_over(tmp_path, monkeypatch, at, number):
    """As damage is; any other error of the system is raised."""
    opt, checkpoint = begun(), lrcore.Checkpoint(tmp_path)
    for _ in range(2):
        checkpoint.save(stepped(opt))

    class Bad(FileIO):
        def readinto(self, part):
            begin = self.tell()
            if self.name == str(latest) and begin <= at < begin + len(part):
                raise OSError(number, os.strerror(number))
            return super().readinto(part)

    latest = checkpoint.latest
    monkeypatch.setattr(_read, "FileIO", Bad)
    again = begun()
    if number == errno.EIO:
        with pytest.warns(UserWarning, match="cannot be read: .* of step 1, instead"):
            assert checkpoint.load(again).step == 1
        assert bits(again) == known(1)[1]
    else:
        with pytest.raises(PermissionError):
            checkpoint.load(again)


def test_a_step_saved_again_has_the_one_before(tmp_path):
    checkpoint, opt = lrcore.Checkpoint(tmp_path), begun()
    checkpoint.save(opt, step=7)
    path = checkpoint.save(stepped(opt), step=7)
    damage(path, 9)
    with pytest.warns(UserWarning, match=r"Loaded .*\.prev"):
        checkpoint.load(opt)
    assert opt.t == 0


def test_killed_saves_leave_nothing_for_long(tmp_path):
    left = tmp_path / ".step-000000003.safetensors.0.tmp"
    left.write_bytes(b"unfinished")
    make_old(left)
    (tmp_path / "step-1.safetensors").write_bytes(b"of somebody else")
    checkpoint = lrcore.Checkpoint(tmp_path)
    assert checkpoint.paths == []
    checkpoint.save(begun())
    assert unfinished(tmp_path) == []
    assert numbers(checkpoint) == [0]


SYSTEMS = pytest.mark.parametrize(
    "locks",
    [
        False,
        pytest.param(
            True,
            marks=pytest.mark.skipif(not _durable.LOCKS, reason="there are no locks"),
        ),
    ],
    ids=["as on Windows", "with locks"],
)


@SYSTEMS
def test_a_save_beside_another_process_keeps_its_files(tmp_path, monkeypatch, locks):
    """The other one saves the same file, and removes what it takes for left."""
    monkeypatch.setattr(_durable, "LOCKS", locks)
    path, opt, replace = tmp_path / "run.safetensors", begun(), os.replace
    stepped(opt).save(path)
    make_old(path)
    renamed = []

    def remove_and_replace(old, new):
        _durable.remove_unfinished(str(tmp_path), "run.")
        renamed.append(Path(new).name)
        replace(old, new)

    monkeypatch.setattr(os, "replace", remove_and_replace)
    stepped(opt).save(path)
    assert renamed == [f"{path.name}.prev", path.name]
    assert unfinished(tmp_path) == []
    assert begun().load(path).step == 2
    assert begun().load(f"{path}.prev").step == 1


@SYSTEMS
def test_an_old_one_that_may_not_be_removed(tmp_path, monkeypatch, locks):
    """On Windows it is open; elsewhere the error says that files pile up."""

    def unlink(self):
        raise PermissionError(errno.EACCES, "may not be removed", str(self))

    monkeypatch.setattr(_durable, "LOCKS", locks)
    checkpoint, opt = lrcore.Checkpoint(tmp_path, keep=1), begun()
    checkpoint.save(stepped(opt))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", unlink)
        if locks:
            with pytest.raises(PermissionError, match="may not be removed"):
                checkpoint.save(stepped(opt))
        else:
            checkpoint.save(stepped(opt))
    assert numbers(checkpoint) == [1, 2]
    checkpoint.save(stepped(opt))
    assert numbers(checkpoint) == [3]


def test_wrong_arguments(tmp_path):
    checkpoint, opt = lrcore.Checkpoint(tmp_path), begun()
    for value in WRONG.values():
        assert refused(lrcore.Checkpoint, tmp_path, mode=value)
        assert refused(checkpoint.save, value)
        assert refused(checkpoint.load, opt, value)
        assert refused(checkpoint.save, opt, now=value)
        if not isinstance(value, int):
            assert refused(lrcore.Checkpoint, tmp_path, every=value)
            assert refused(lrcore.Checkpoint, tmp_path, keep=value)
            assert refused(checkpoint.save, opt, metric=value)
            assert refused(checkpoint.save, opt, step=value)
    assert message(lrcore.Checkpoint, np.ones(1)).startswith("folder: expected a path")
    assert checkpoint.paths == []


@pytest.mark.skipif(
    sys.platform != "win32" and not os.path.isdir("/proc/self/fd"),
    reason="there is no list of open files",
)
def test_checkpoints_where_the_system_is_like_windows(tmp_path):
    command = [sys.executable, Path(__file__).with_name("like_windows.py"), tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["replaced", "refused", "kept"], done.stderr
