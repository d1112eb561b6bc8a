"""Saves that are killed, that fail, and of which power loss leaves a part.

The file is always the old one or the new one, to the bit, and the new one if the save
has returned.
"""

import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from saves import begun, bits, known, loaded, make_old, stepped, unfinished

from lrcore.checkpoint import DamagedError, _durable

pytestmark = pytest.mark.trials

# `python tests/interrupted_saves.py kills FOLDER 500` makes 500.
KILLS = 100
SIZES = 40

STRACE = shutil.which("strace")


@pytest.fixture
def in_memory(tmp_path):
    """A folder in memory, where waiting for the disk takes no time."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


def trial(what, folder, *numbers):
    """Run tests/interrupted_saves.py; return what it has seen."""
    folder = folder / "saves"
    folder.mkdir()
    script = Path(__file__).with_name("interrupted_saves.py")
    done = subprocess.run(
        [sys.executable, script, what, folder, *map(str, numbers)],
        capture_output=True, text=True, env={**os.environ, "LRCORE_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("background", [0, 1])
def test_a_save_that_is_killed_at_a_random_moment(background, in_memory):
    seen = trial("kills", in_memory, KILLS, background)
    assert seen["old"] > 0  # killed before the next save was complete
    assert seen["unfinished files"] > 0  # some were killed while they wrote


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.skipif(
    os.path.exists("/proc/sys/kernel/yama/ptrace_scope") and os.geteuid() != 0,
    reason="only root may trace another process here",
)
def test_a_save_that_is_killed_at_each_system_call_or_one_of_them_fails(in_memory):
    seen = trial("calls", in_memory)
    assert seen["calls"] >= 20
    assert seen["signal: killed, old"] > 0
    assert seen["signal: killed, new"] > 0
    assert seen["error: raised, old"] > 0


def test_a_file_that_cannot_grow(in_memory):
    assert trial("sizes", in_memory, SIZES) == {"refused": SIZES}


def test_a_full_disk(in_memory):
    disk = in_memory / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk, where mounting is allowed")
    try:
        path, filler, wanted = disk / "run.safetensors", disk / "filler", known(2)
        opt = stepped(begun())
        opt.save(path)
        stepped(opt)
        fill(filler)
        for _ in range(2):  # the file takes two pages
            with pytest.raises(OSError, match="No space left"):
                opt.save(path)
            with pytest.raises(OSError, match="No space left"):
                opt.save_async(path).wait()
            assert unfinished(disk) == []
            assert bits(loaded(path)) == wanted[1]
            os.truncate(filler, filler.stat().st_size - 4096)
        opt.save(path)
        assert bits(loaded(path)) == wanted[2]
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(path):
    """Write to a file until its disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


# --- power loss -----------------------------------------------------------------------


class Disk:
    """A model of a file system: what a save did, and all that power loss can leave.

    An event is a name of an operation with its arguments; files are numbered.
    """

    def __init__(self):
        self.events = []

    def record(self, monkeypatch):
        """Record what `_durable` does from now on."""
        disk, files = self, itertools.count(1)

        class File(io.FileIO):
            def __init__(self, path, mode="r"):
                super().__init__(path, mode)
                if mode == "x":
                    self.number = next(files)
                    disk.events.append(("make", os.path.basename(path), self.number))
                    disk.by_descriptor[self.fileno()] = self.number

            def write(self, data):
                disk.events.append(("write", self.number, bytes(data)))
                return super().write(data)

        class System:
            def __getattr__(self, name):
                return getattr(os, name)

            def fsync(self, descriptor):
                os.fsync(descriptor)
                number = disk.by_descriptor.pop(descriptor, None)
                disk.events.append(("sync folder",) if number is None
                                   else ("sync", number))  # fmt: skip

            def link(self, a, b):
                os.link(a, b)
                disk.events.append(("link", *map(os.path.basename, (a, b))))

            def replace(self, a, b):
                os.replace(a, b)
                disk.events.append(("rename", *map(os.path.basename, (a, b))))

            def unlink(self, a):
                os.unlink(a)
                disk.events.append(("unlink", os.path.basename(a)))

        self.by_descriptor = {}
        monkeypatch.setattr(_durable, "FileIO", File)
        monkeypatch.setattr(_durable, "os", System())

    def left(self, events, names, files):
        """Return each state that power loss after these events can leave.

        names, files : those on the disk before.  A state is the bytes by name.
        """
        pending = []  # operations on names that no sync of the folder has followed
        synced, written = dict(files), {}
        for what, *given in events:
            if what == "write":
                written.setdefault(given[0], []).append(given[1])
            elif what == "sync":
                synced[given[0]] = b"".join(written.pop(given[0], []))
            elif what == "sync folder":
                for operation in pending:
                    done(operation, names)
                pending = []
            else:
                pending.append((what, *given))
        contents = [{**synced}]
        for number, parts in written.items():
            whole = b"".join(parts)
            variants = {b"", whole[: len(whole) // 2], bytes(len(whole)), whole}
            for k, part in enumerate(parts):  # or one of the writes is lost
                lost = [*parts[:k], bytes(len(part)), *parts[k + 1 :]]
                variants.add(b"".join(lost))
            contents = [{**c, number: v} for c in contents for v in variants]
        for chosen in itertools.product((True, False), repeat=len(pending)):
            now = dict(names)
            for operation in itertools.compress(pending, chosen):
                done(operation, now)
            for each in contents:
                yield {name: each.get(number, b"") for name, number in now.items()}


def done(operation, names):
    """Do an operation on names, if those that it needs are there."""
    what, a, *more = operation
    if what == "make":
        names[a] = more[0]
    elif what == "unlink":
        names.pop(a, None)
    elif a in names:
        names[more[0]] = names.pop(a) if what == "rename" else names[a]


def test_power_loss_after_each_call_of_two_saves(in_memory, monkeypatch):
    """Files lose what no fsync has followed, or get zeros; names lose any changes."""
    path, wanted, disk = in_memory / "run.safetensors", known(3), Disk()
    opt = stepped(begun())
    opt.save(path)
    names, files = {path.name: 0}, {0: path.read_bytes()}
    disk.record(monkeypatch)
    returned = {}  # events so far: step
    for _ in range(2):
        stepped(opt).save(path)
        returned[len(disk.events)] = opt.t
    monkeypatch.undo()
    assert [event[0] for event in disk.events].count("sync") == 2

    seen, tried = Counter(), set()
    after = in_memory / "after"
    for k in range(len(disk.events) + 1):
        least = max([t for n, t in returned.items() if n <= k], default=1)
        for left in disk.left(disk.events[:k], dict(names), files):
            key = (least, *sorted(left.items()))
            if key in tried:
                continue
            tried.add(key)
            after.mkdir()
            for name, data in left.items():
                (after / name).write_bytes(data)
            opt = loaded(after / path.name)
            assert bits(opt) == wanted[opt.t]
            assert least <= opt.t <= least + 1
            if f"{path.name}.prev" in left:
                previous = loaded(after / f"{path.name}.prev")
                assert bits(previous) == wanted[previous.t]
                assert previous.t <= opt.t
            stepped(opt).save(after / path.name)  # the next save works, and cleans
            assert unfinished(after) == []
            shutil.rmtree(after)
            seen[opt.t - 1 - least] += 1
    assert set(seen) == {0, 1}  # the old one, and the new one
    assert sum(seen.values()) == 187  # as docs/understand/promises.md says


def test_the_model_finds_a_save_that_does_not_wait(in_memory, monkeypatch):
    """Without its fsync, a state that the model makes is damaged."""
    path, disk = in_memory / "run.safetensors", Disk()
    opt = stepped(begun())
    opt.save(path)
    names, files = {path.name: 0}, {0: path.read_bytes()}
    disk.record(monkeypatch)
    stepped(opt).save(path)
    monkeypatch.undo()
    events = [event for event in disk.events if event[0] != "sync"]
    damaged = 0
    for left in disk.left(events, names, files):
        path.write_bytes(left[path.name])
        try:
            loaded(path)
        except DamagedError:
            damaged += 1
    assert damaged


# --- the rest of a save ---------------------------------------------------------------


def test_without_links_the_old_file_is_copied(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    opt = stepped(begun())
    opt.save(path)

    def link(a, b):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(_durable.os, "link", link)
    stepped(opt).save(path)
    assert (loaded(path).t, loaded(f"{path}.prev").t) == (2, 1)
    assert unfinished(tmp_path) == []


def test_the_mode_is_that_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        begun().save(tmp_path / "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_temporary_file_in_use_is_not_removed(tmp_path):
    path = tmp_path / "run.safetensors"

    def interrupted():
        with _durable.replacing(str(path)) as file:
            file.write(b"1")
            stale = tmp_path / ".run.safetensors.0.tmp"
            stale.write_bytes(b"stale")
            make_old(stale)
            stepped(begun()).save(path)
            assert len(unfinished(tmp_path)) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert unfinished(tmp_path) == []
    assert loaded(path).t == 1


def test_a_link_is_followed(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    begun().save(link)
    stepped(begun()).save(link)
    assert link.is_symlink()
    assert (loaded(real).t, loaded(f"{real}.prev").t) == (1, 0)
