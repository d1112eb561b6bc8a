"""Saves that are ended at any moment, each in a process of its own.

``python tests/interrupted_saves.py kills FOLDER 500`` kills a process that saves step
after step at 500 random moments, and ``kills FOLDER 500 1`` one that steps on while a
file is written; ``calls FOLDER`` kills a save at each of its system calls, then lets
each fail (with strace); ``sizes FOLDER 60`` limits the size of the file.  Each time,
the file must be the old one or the new one, to the bit, and the new one if the save has
returned or has been waited for.  They print what they have seen as JSON.

The processes are forks of this one, which has imported all that they need.
"""

import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from saves import begun, bits, known, loaded, stepped, unfinished

import lrcore.checkpoint  # noqa: F401 # so that no fork has to

STEPS = 400


def forked(work):
    """Run work in a fork; return its process id.  The exit status is 3 for an error."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    except OSError:
        os._exit(3)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(4)


def ended(pid):
    """Wait for a process; return its exit status, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kills(folder, trials, background=0):
    """Kill a process that saves step after step, at random moments."""
    path, rng = folder / "run.safetensors", random.Random(0)
    wanted = known(STEPS // 2 + STEPS + 1)  # of the latest begin, and all steps
    seen = Counter()
    stepped(begun()).save(path)

    def work():
        opt = loaded(path)
        if background:
            stepped(opt).save_async(path)
        for _ in range(STEPS):
            if background:  # returns when the file before is on the disk
                stepped(opt).save_async(path)
            else:
                stepped(opt).save(path)
            os.write(told, b".")
        signal.pause()

    took = 0.002  # of a save, roughly
    for _ in range(trials):
        first = loaded(path).t
        if first > STEPS // 2:
            first = 1
            stepped(begun()).save(path)
        said, told = os.pipe()
        pid = forked(work)
        os.close(told)
        start = time.perf_counter()
        os.read(said, 1)  # the first save has returned
        took = 0.9 * took + 0.1 * (time.perf_counter() - start)
        time.sleep(rng.uniform(0, 5 * took))
        os.kill(pid, signal.SIGKILL)
        assert ended(pid) == -signal.SIGKILL
        acknowledged = first + 1
        while dots := os.read(said, 4096):
            acknowledged += len(dots)
        os.close(said)
        opt = loaded(path)
        assert bits(opt) == wanted[opt.t]
        assert acknowledged <= opt.t <= acknowledged + 1 + background
        previous = loaded(f"{path}.prev")
        assert bits(previous) == wanted[previous.t]
        assert opt.t - 1 <= previous.t <= opt.t
        seen["old" if opt.t == acknowledged else "new"] += 1
        seen["unfinished files"] += len(unfinished(folder)) > 0
    stepped(begun()).save(path)
    assert unfinished(folder) == []
    return seen


def calls(folder):
    """Kill a save at each system call, then let each one fail."""
    path, wanted = folder / "run.safetensors", known(2)
    log, seen = folder.parent / "calls", Counter()
    traced(path, "-o", str(log))
    names = [m[1] for m in re.finditer(r"^(?:\d+ +)?(\w+)\(", log.read_text(), re.M)]
    # These two are not of the save: one waits for the word to begin, one is the end.
    names = [name for name in names if name not in ("read", "exit_group")]
    places = [(name, names[: k + 1].count(name)) for k, name in enumerate(names)]
    for name, k in places:
        for fault in ("signal=SIGKILL", "error=EIO", "error=ENOSPC"):
            status = traced(path, "-e", f"inject={name}:{fault}:when={k}")
            opt = loaded(path)
            assert bits(opt) == wanted[opt.t], (name, k, fault)
            assert opt.t in ((2,) if status == 0 else (1, 2)), (name, k, fault)
            if Path(f"{path}.prev").exists():
                previous = loaded(f"{path}.prev")
                assert bits(previous) == wanted[previous.t]
            how = {0: "returned", 3: "raised"}.get(status, "killed")
            seen[f"{fault.partition('=')[0]}: {how}, {('', 'old', 'new')[opt.t]}"] += 1
            seen["unfinished files"] += len(unfinished(folder)) > 0
            stepped(begun()).save(path)
            assert unfinished(folder) == []
    return {"calls": len(places), **seen}


def traced(path, *options):
    """Save step 2 over step 1 under strace; return the exit status of the save."""
    Path(f"{path}.prev").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    opt = stepped(begun())
    opt.save(path)
    stepped(opt)
    waits, go = os.pipe()

    def work():
        os.read(waits, 1)
        opt.save(path)

    pid = forked(work)
    quiet = ["strace", "-qqq", "-e", "signal=none", "-o", os.devnull]
    tracer = subprocess.Popen([*quiet, *options, "-p", str(pid)])
    while f"TracerPid:\t{tracer.pid}" not in Path(f"/proc/{pid}/status").read_text():
        assert tracer.poll() is None, "strace cannot trace another process here"
        time.sleep(0.001)
    time.sleep(0.01)  # for strace to let the process run on under its eyes
    os.write(go, b".")
    status = ended(pid)
    tracer.wait()
    os.close(waits)
    os.close(go)
    return status


def sizes(folder, trials):
    """Limit the size of the file, as a full disk does."""
    path, wanted = folder / "run.safetensors", known(2)
    opt = stepped(begun())
    opt.save(path)
    size = path.stat().st_size
    stepped(opt)
    seen = Counter()

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        opt.save(path)

    for k in range(trials):
        limit = size * k // trials
        assert ended(forked(work)) == 3
        assert unfinished(folder) == []
        assert bits(loaded(path)) == wanted[1]
        seen["refused"] += 1
    limit = size
    assert ended(forked(work)) == 0
    assert bits(loaded(path)) == wanted[2]
    return seen


if __name__ == "__main__":
    what, folder, *numbers = sys.argv[1:]
    trial = {"kills": kills, "calls": calls, "sizes": sizes}[what]
    print(json.dumps(trial(Path(folder), *map(int, numbers))))
