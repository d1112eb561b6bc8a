"""Save and load checkpoints where the system is like Windows: `python FILE FOLDER`.

There is no fcntl, folders cannot be opened, and a file that is open can neither be
removed nor renamed nor replaced.
"""

import mmap
import os
import sys
import time
from pathlib import Path

import numpy as np


def in_use(path):
    opened = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return any(os.path.exists(fd) and os.path.samefile(fd, path) for fd in opened)


def refusing(function):
    def call(*paths):
        for path in paths:
            if os.path.exists(path) and in_use(path):
                raise PermissionError(13, "it is open", path)
        return function(*paths)

    return call


def be_like_windows():
    """Take away what Windows lacks, and refuse what it refuses."""
    sys.modules.update(fcntl=None, resource=None, pwd=None, grp=None)
    del os.register_at_fork, os.sched_getaffinity, os.fork, os.O_DIRECTORY
    del mmap.MAP_PRIVATE, mmap.MAP_ANONYMOUS, mmap.MADV_HUGEPAGE
    for name in ("replace", "unlink", "rename", "remove"):
        setattr(os, name, refusing(getattr(os, name)))


def begun():
    return lrcore.AdamW(np.ones(5, "float32"), lr=0.1)


def stepped(opt, steps=1):
    for _ in range(steps):
        opt.step(np.full(5, 0.5, "float32"))
    return opt


def left(path):
    """Make a file that a save has left which was killed two hours ago."""
    path.write_bytes(b"left")
    os.utime(path, (time.time() - 7200,) * 2)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def replaced(folder):
    """A file is replaced, the one before stays, and what a killed save left goes."""
    path = folder / "run.safetensors"
    opt = stepped(begun())
    opt.save(path)
    left(folder / ".run.safetensors.0.tmp")
    with open(left(folder / ".run.safetensors.1.tmp"), "rb"):
        stepped(opt).save(path)
        assert names(folder) == [
            ".run.safetensors.1.tmp",
            path.name,
            f"{path.name}.prev",
        ]
    stepped(opt).save_async(path).wait()
    assert names(folder) == [path.name, f"{path.name}.prev"]
    for name, t in ((path, 3), (f"{path}.prev", 2)):
        again = begun()
        assert again.load(name).step == t
        assert again.state_dict()["t"] == t


def refused(folder):
    """A file that something has open is not replaced, until it is closed."""
    path = folder / "run.safetensors"
    opt = stepped(begun())
    opt.save(path)
    before = path.read_bytes()
    with open(path, "rb"):
        try:
            stepped(opt).save(path)
        except PermissionError:
            assert path.read_bytes() == before
        else:
            raise AssertionError("it was replaced while it was open")
    opt.save(path)
    assert begun().load(path).step == 2
    assert names(folder) == [path.name, f"{path.name}.prev"]


def kept(folder):
    """A folder of checkpoints keeps the latest; one that is open is removed later."""
    checkpoint, opt = lrcore.Checkpoint(folder / "run", keep=2), begun()
    with open(checkpoint.save(stepped(opt)), "rb"):
        for _ in range(3):
            checkpoint.save(stepped(opt))
        assert len(checkpoint.paths) == 3
    checkpoint.save(stepped(opt))
    assert [path.stem for path in checkpoint.paths] == [
        "step-000000004",
        "step-000000005",
    ]
    assert lrcore.Checkpoint(folder / "run").load(begun()).step == 5


if __name__ == "__main__":
    if sys.platform != "win32":
        be_like_windows()
    import lrcore  # after what it is not to find

    for check in (replaced, refused, kept):
        own = Path(sys.argv[1], check.__name__)
        own.mkdir()
        check(own)
        print(check.__name__)
